import { WorkerRegistry, type WorkerDescription } from '#shared/store/worker-registry';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { CHAIN, SECOND } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let registry: WorkerRegistry;
let chain: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  registry = new WorkerRegistry(await stage.connect());
  chain = await stage.save(CHAIN);
});
afterAll(() => stage.close());
beforeEach(() => stage.server.query('TRUNCATE workers, jobs, steps'));

const worker = (id: string): WorkerDescription => ({
  ...{ id, name: 'host-1', version: '1.2.3', pid: 7, queues: ['default', 'gpu'], capacity: 4 },
});
const LOAD = { running: 3, cpuPercent: 12.5, memoryMb: 256 };

async function rowOf(id: string): Promise<Record<string, unknown> | undefined> {
  const query = `SELECT *, round(extract(epoch FROM lease_until - now()) * 1000)::int AS left_ms FROM workers WHERE id = $1`;
  return (await stage.server.query<Record<string, unknown>>(query, [id]))[0];
}

describe('WorkerRegistry', () => {
  it('registers a worker until its lease is over, and tells the time of the database', async () => {
    const [start] = await stage.server.query<{ us: string }>(
      'SELECT (extract(epoch FROM now()) * 1000000)::bigint AS us',
    );
    const now = await registry.register(worker('a'), 10_000);
    expect(now).toBeGreaterThanOrEqual(Number(start?.us));
    const row = await rowOf('a');
    expect(row).toMatchObject({
      ...{ name: 'host-1', version: '1.2.3', pid: 7, queues: ['default', 'gpu'], capacity: 4, running: 0 },
      polled_at: null,
    });
    expect(row?.left_ms).toBeGreaterThan(9_000);
    expect(row?.left_ms).toBeLessThanOrEqual(10_000);
  });

  it('renews a lease that runs, and keeps what the worker is at', async () => {
    const registered = await registry.register(worker('a'), 2_000);
    const renewed = await registry.renew('a', 60_000, LOAD);
    expect(renewed?.now).toBeGreaterThanOrEqual(registered);
    expect(await rowOf('a')).toMatchObject({ running: 3, cpu_percent: 12.5, memory_mb: 256 });
    expect((await rowOf('a'))?.left_ms).toBeGreaterThan(50_000);
  });

  it('tells with a renewal how many workers are alive', async () => {
    for (const id of ['a', 'b', 'c']) await registry.register(worker(id), 10_000);
    expect(await registry.renew('a', 10_000, LOAD)).toMatchObject({ workersAlive: 3 });
    await registry.remove('b');
    await stage.server.query(`UPDATE workers SET lease_until = now() WHERE id = 'c'`);
    expect(await registry.renew('a', 10_000, LOAD)).toMatchObject({ workersAlive: 1 });
  });

  it('never takes up a lease that is over, nor one that was never there', async () => {
    await registry.register(worker('late'), 0);
    const before = await stage.dump();
    expect(await registry.renew('late', 60_000, LOAD)).toBeNull();
    expect(await registry.renew('late', 60_000, LOAD)).toBeNull();
    expect(await registry.renew('unheard of', 60_000, LOAD)).toBeNull();
    expect(await stage.dump()).toEqual(before);
  });

  it('gives an id once', async () => {
    await registry.register(worker('a'), 0);
    await expect(registry.register(worker('a'), 10_000)).rejects.toThrow(/duplicate key/);
  });

  it('ends a lease at once, of that worker alone', async () => {
    await registry.register(worker('a'), 10_000);
    await registry.register(worker('b'), 10_000);
    await registry.remove('a');
    expect([await rowOf('a'), (await rowOf('b'))?.id]).toEqual([undefined, 'b']);
    expect(await registry.renew('a', 10_000, LOAD)).toBeNull();
  });

  it('forgets those that have been gone for so long, and no others', async () => {
    for (const id of ['alive', 'gone', 'long gone']) await registry.register(worker(id), 10_000);
    await stage.server.query(`UPDATE workers SET lease_until = now() - interval '10 s' WHERE id = 'gone'`);
    await stage.server.query(`UPDATE workers SET lease_until = now() - interval '2 h' WHERE id = 'long gone'`);
    await registry.forgetGone(3_600_000);
    const left = await stage.server.query<{ id: string }>('SELECT id FROM workers ORDER BY id');
    expect(left.map(({ id }) => id)).toEqual(['alive', 'gone']);
  });

  it('tells the steps whose rows say that a worker runs them', async () => {
    const running = (idx: number, by: string, epoch: number) =>
      ({ idx, status: 'running', worker: by, epoch }) as const;
    const id = await stage.put(chain, {
      rows: [running(0, 'a', 4), running(1, 'b', 1), { idx: 2, status: 'completed', worker: 'a', startedAt: SECOND }],
    });
    const other = await stage.put(chain, { rows: [running(2, 'a', 2)] });
    const owned = await registry.runningOf('a');
    expect(owned.toSorted((x, y) => (x.jobId < y.jobId ? -1 : 1))).toEqual([
      { jobId: id, idx: 0, epoch: 4 },
      { jobId: other, idx: 2, epoch: 2 },
    ]);
    expect(await registry.runningOf('nobody')).toEqual([]);
  });
});
