import type { HandlerDefinition, StepHandler } from '#shared/contracts/handler';
import type { KnownHandlers } from '#shared/runtime/handler-modules';
import type { GraphStore } from '#shared/store/graph/graph-store';
import { DocumentationHandler } from './documentation/documentation-handler';
import { FilesystemHandler } from './filesystem/filesystem-handler';
import { NoopHandler } from './noop';

export interface HandlerDependencies {
  readonly graph: GraphStore;
  /** Folders under which `local_path` sources may lie. */
  readonly sourceRoots: readonly string[];
}

/**
 * Every handler that ships or that a module brought, by name. Hand a handler only options that its own schema has parsed.
 * @throws when one of the catalog is missing, unknown or there twice
 */
export function createHandlers(
  { graph, sourceRoots }: HandlerDependencies,
  { catalog, more }: KnownHandlers,
): ReadonlyMap<string, StepHandler> {
  return registryOf(catalog, [
    new NoopHandler(),
    new FilesystemHandler(graph, sourceRoots),
    new DocumentationHandler(graph, sourceRoots),
    ...more,
  ]);
}

/** The handlers by name, exactly one for each definition of the catalog. @throws otherwise */
export function registryOf(
  catalog: ReadonlyMap<string, HandlerDefinition>,
  handlers: readonly StepHandler[],
): ReadonlyMap<string, StepHandler> {
  const registry = new Map<string, StepHandler>();
  for (const handler of handlers) {
    const { name } = handler.definition;
    if (registry.has(name)) throw new Error(`two handlers are called "${name}"`);
    if (!catalog.has(name)) throw new Error(`handler "${name}" is not in the catalog`);
    registry.set(name, handler);
  }
  const missing = [...catalog.keys()].filter((name) => !registry.has(name));
  if (missing.length > 0) throw new Error(`no handler does ${missing.join(', ')}`);
  return registry;
}
