import { catalogOf, HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import type { HandlerDefinition, StepHandler } from '#shared/contracts/handler';

/** The handlers that a process knows: those that ship, and those of a module that it was told to load. */
export interface KnownHandlers {
  readonly catalog: ReadonlyMap<string, HandlerDefinition>;
  /** Of the module, ready to run. */
  readonly more: readonly StepHandler[];
}

/**
 * @param modulePath absolute, of a CommonJS module that exports a list `handlers`; null = none
 * @throws when it cannot be loaded, or a handler has a name that is taken
 */
export async function knownHandlers(modulePath: string | null): Promise<KnownHandlers> {
  if (modulePath === null) return { catalog: HANDLER_CATALOG, more: [] };
  const { handlers } = (await import(modulePath)) as { handlers?: unknown };
  if (!Array.isArray(handlers)) throw new TypeError(`${modulePath} exports no list "handlers"`);
  const more = handlers as StepHandler[];
  return { catalog: catalogOf([...HANDLER_CATALOG.values(), ...more.map(({ definition }) => definition)]), more };
}
