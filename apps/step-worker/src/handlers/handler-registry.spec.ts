import { DataSource } from 'typeorm';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { GraphStore } from '#shared/store/graph/graph-store';
import { ProcessGroups } from '../processes/process-groups';
import { TreeMeter } from '../processes/tree-meter';
import { createHandler, createHandlers, registryOf } from './handler-registry';
import { NoopHandler } from './noop';

const REST = {
  ...{ sourceRoots: [], env: {}, secretNames: new Set<string>() },
  groups: new ProcessGroups(new TreeMeter(), 1_000),
};

describe('the handler registry', () => {
  it('has one handler for each definition of the catalog', async () => {
    const graph = new GraphStore(new DataSource({ type: 'postgres' }));
    const handlers = createHandlers({ ...REST, graph }, await knownHandlers(null));
    expect([...handlers.keys()].sort()).toEqual([...HANDLER_CATALOG.keys()].sort());
    for (const [name, handler] of handlers) expect(handler.definition).toBe(HANDLER_CATALOG.get(name));
  });

  it('makes one of them, without the store where it needs none', () => {
    expect(createHandler('noop', { ...REST, graph: null }).definition.name).toBe('noop');
    expect(() => createHandler('filesystem', { ...REST, graph: null })).toThrow('"filesystem" needs the store');
    expect(() => createHandler('constructor', { ...REST, graph: null })).toThrow('there is no handler "constructor"');
  });

  it('refuses a missing, an unknown and a second handler', () => {
    const noop = new NoopHandler();
    const noopOnly = new Map([['noop', noop.definition]]);
    expect(registryOf(noopOnly, [noop]).get('noop')).toBe(noop);
    expect(() => registryOf(HANDLER_CATALOG, [noop])).toThrow(
      'no handler does http, command, filesystem, documentation',
    );
    expect(() => registryOf(new Map(), [noop])).toThrow('handler "noop" is not in the catalog');
    expect(() => registryOf(noopOnly, [noop, new NoopHandler()])).toThrow('two handlers are called "noop"');
  });
});
