import type { HandlerDefinition, StepHandler } from '#shared/contracts/handler';
import type { KnownHandlers } from '#shared/runtime/handler-modules';
import type { GraphStore } from '#shared/store/graph/graph-store';
import type { ProcessGroups } from '../processes/process-groups';
import { CommandHandler } from './command/command-handler';
import { DocumentationHandler } from './documentation/documentation-handler';
import { FilesystemHandler } from './filesystem/filesystem-handler';
import { HttpHandler } from './http/http-handler';
import { NoopHandler } from './noop';
import { SecretReader } from './secrets/secret-reader';

export interface HandlerDependencies {
  /** null only in a process that runs none of those that need it. */
  readonly graph: GraphStore | null;
  /** Folders under which `local_path` sources may lie. */
  readonly sourceRoots: readonly string[];
  readonly groups: ProcessGroups;
  /** The worker's: where secrets are found, and what programs inherit of it. */
  readonly env: NodeJS.ProcessEnv;
  /** Variables that hold secrets of steps: no program inherits them. */
  readonly secretNames: ReadonlySet<string>;
}

type Factory = (dependencies: HandlerDependencies) => StepHandler;

/** Handlers that need the graph. */
const STORING: Readonly<Record<string, (graph: GraphStore, sourceRoots: readonly string[]) => StepHandler>> = {
  filesystem: (graph, sourceRoots) => new FilesystemHandler(graph, sourceRoots),
  documentation: (graph, sourceRoots) => new DocumentationHandler(graph, sourceRoots),
};

const OTHERS: Readonly<Record<string, Factory>> = {
  noop: () => new NoopHandler(),
  http: ({ env }) => new HttpHandler(new SecretReader(env)),
  command: ({ env, secretNames, groups }) =>
    new CommandHandler({ env, secretNames, groups, secrets: new SecretReader(env) }),
};

/** Whether the handler writes to or reads from the store by itself. */
export const needsStore = (name: string): boolean => Object.hasOwn(STORING, name);

/** One shipped handler. @throws when there is none of that name, or no store where it needs it */
export function createHandler(name: string, dependencies: HandlerDependencies): StepHandler {
  const storing = needsStore(name) ? STORING[name] : undefined;
  const other = Object.hasOwn(OTHERS, name) ? OTHERS[name] : undefined;
  if (other) return other(dependencies);
  if (!storing) throw new Error(`there is no handler "${name}"`);
  if (!dependencies.graph) throw new Error(`the handler "${name}" needs the store`);
  return storing(dependencies.graph, dependencies.sourceRoots);
}

/**
 * Every handler that ships or that a module brought, by name. Hand a handler only options that its own schema has parsed.
 * @throws when one of the catalog is missing, unknown or there twice
 */
export function createHandlers(
  dependencies: HandlerDependencies,
  { catalog, more }: KnownHandlers,
): ReadonlyMap<string, StepHandler> {
  const names = [...Object.keys(OTHERS), ...Object.keys(STORING)];
  return registryOf(catalog, [...names.map((name) => createHandler(name, dependencies)), ...more]);
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
