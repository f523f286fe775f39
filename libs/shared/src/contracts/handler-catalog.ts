import type { HandlerDefinition } from '#shared/contracts/handler';
import { commandDefinition } from '#shared/contracts/handlers/command';
import { documentationDefinition } from '#shared/contracts/handlers/documentation';
import { filesystemDefinition } from '#shared/contracts/handlers/filesystem';
import { httpDefinition } from '#shared/contracts/handlers/http';
import { noopDefinition } from '#shared/contracts/handlers/noop';

/**
 * Handler definitions by name.
 * @throws when two have the same name, or one lets a job set an option that its schema does not have
 */
export function catalogOf(definitions: readonly HandlerDefinition[]): ReadonlyMap<string, HandlerDefinition> {
  const catalog = new Map<string, HandlerDefinition>();
  for (const definition of definitions) {
    if (catalog.has(definition.name)) throw new Error(`two handlers are called "${definition.name}"`);
    const known = new Set(Object.keys(definition.options.shape));
    const unknown = definition.jobOptions.filter((option) => !known.has(option));
    if (unknown.length > 0) {
      throw new Error(`handler "${definition.name}" lets a job set options it does not have: ${unknown.join(', ')}`);
    }
    catalog.set(definition.name, definition);
  }
  return catalog;
}

/** Every handler that ships, by the name that `uses:` refers to. */
export const HANDLER_CATALOG = catalogOf([
  noopDefinition,
  httpDefinition,
  commandDefinition,
  filesystemDefinition,
  documentationDefinition,
]);
