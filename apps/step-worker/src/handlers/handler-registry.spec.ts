import { DataSource } from 'typeorm';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { GraphStore } from '#shared/store/graph/graph-store';
import { createHandlers, registryOf } from './handler-registry';
import { NoopHandler } from './noop';

describe('the handler registry', () => {
  it('has one handler for each definition of the catalog', async () => {
    const graph = new GraphStore(new DataSource({ type: 'postgres' }));
    const handlers = createHandlers({ graph, sourceRoots: [] }, await knownHandlers(null));
    expect([...handlers.keys()].sort()).toEqual([...HANDLER_CATALOG.keys()].sort());
    for (const [name, handler] of handlers) expect(handler.definition).toBe(HANDLER_CATALOG.get(name));
  });

  it('refuses a missing, an unknown and a second handler', () => {
    const noop = new NoopHandler();
    const noopOnly = new Map([['noop', noop.definition]]);
    expect(registryOf(noopOnly, [noop]).get('noop')).toBe(noop);
    expect(() => registryOf(HANDLER_CATALOG, [noop])).toThrow('no handler does filesystem, documentation');
    expect(() => registryOf(new Map(), [noop])).toThrow('handler "noop" is not in the catalog');
    expect(() => registryOf(noopOnly, [noop, new NoopHandler()])).toThrow('two handlers are called "noop"');
  });
});
