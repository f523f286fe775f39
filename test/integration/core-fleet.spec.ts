import { NatsBus } from '#shared/bus/nats-bus';
import type { FleetState } from '#shared/domain/usage/usage-figures';
import { FleetLook, queueStateOf } from '#shared/runtime/fleet-look';
import { FleetReader, type FleetRows } from '#shared/store/fleet-reader';
import { FLEET_STATEMENTS } from '#shared/store/fleet-statements';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { LaneClient } from '#shared/store/lane-client';
import { pipelineOf, SECOND, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { startTestNats, type TestNats } from '../support/test-nats';
import { BusStage, QUEUES } from './bus-stage';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let reader: FleetReader;
let pipeline: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  reader = new FleetReader(await stage.connect(2), stage.pipelines);
  pipeline = await stage.save(
    pipelineOf(
      [
        stepNamed('a'),
        stepNamed('b', { needs: [], queue: 'heavy', resources: { llm: 2 } }),
        stepNamed('c', { needs: [], concurrency: 3 }),
      ],
      'p',
    ),
  );
});
afterAll(async () => {
  await reader.close();
  await stage.close();
});
beforeEach(async () => {
  await stage.server.query('DELETE FROM jobs');
  await stage.server.query('TRUNCATE steps, pools, workers, job_counts, job_changes');
});

/** The database's time, in microseconds. */
async function now(): Promise<number> {
  const [row] = await stage.server.query<{ us: number }>('SELECT extract(epoch FROM now())::float8 * 1000000 AS us');
  return Math.floor(row?.us ?? 0);
}

const queue = (rows: FleetRows, name: string) => rows.queues.get(name);

it('of an empty fleet there is nothing to tell, but for every status', async () => {
  const rows = await reader.read();
  expect(rows).toMatchObject({ complete: true, queues: new Map(), pools: new Map() });
  expect([...rows.jobs.values()]).toEqual(Array(8).fill(0));
});

it('counts steps by the queue that their pipeline gives them: with a row, without one, parked, running, in back-off', async () => {
  const at = await now();
  await stage.put(pipeline, { fields: { open: 0b111n, status: 'pending', dispatchedAt: at - 60 * SECOND } });
  await stage.put(pipeline, {
    fields: { open: 0b111n, dispatchedAt: at - 20 * SECOND },
    rows: [
      { idx: 0, status: 'running', worker: 'w' },
      { idx: 1, status: 'parked', waitsFor: 'resource:llm' },
      { idx: 2, status: 'retrying', nextRetryAt: at },
    ],
  });
  await stage.put(pipeline, { fields: { open: 0b1n, status: 'cancelling' }, rows: [{ idx: 0, status: 'queued' }] });
  await stage.put(pipeline, { fields: { open: 0n, done: 0b111n, status: 'completed' } });
  const rows = await reader.read();
  expect(queue(rows, 'default')).toMatchObject({ ready: 2, running: 1, retrying: 1, parked: 0 });
  expect(queue(rows, 'heavy')).toMatchObject({ ready: 2, running: 0, retrying: 0, parked: 1 });
  expect(Object.fromEntries(rows.jobs)).toMatchObject({
    pending: 1,
    running: 1,
    cancelling: 1,
    completed: 1,
    failed: 0,
  });
  const { oldestReadySeconds } = queueStateOf(rows, queue(rows, 'heavy'));
  expect(oldestReadySeconds).toBeGreaterThanOrEqual(60);
  expect(oldestReadySeconds).toBeLessThan(120);
});

it('names who holds tokens: those who run, and those who have crashed and will run again', async () => {
  await stage.server.query(
    `INSERT INTO pools VALUES ('resource:llm', 4, 5), ('step:p/c', 1, 3), ('resource:idle', 0, 2)`,
  );
  const running = await stage.put(pipeline, {
    fields: { open: 0b110n },
    rows: [
      { idx: 1, status: 'running', held: true, worker: 'w' },
      { idx: 2, status: 'running', held: true, worker: 'w' },
    ],
  });
  const crashed = await stage.put(pipeline, {
    fields: { open: 0b10n },
    rows: [{ idx: 1, status: 'queued', held: true }],
  });
  expect(Object.fromEntries((await reader.read()).pools)).toEqual({
    'resource:llm': {
      ...{ available: 1, max: 5 },
      heldBy: [
        { jobId: running, step: 'b', tokens: 2 },
        { jobId: crashed, step: 'b', tokens: 2 },
      ],
    },
    'step:p/c': { available: 2, max: 3, heldBy: [{ jobId: running, step: 'c', tokens: 1 }] },
    'resource:idle': { available: 2, max: 2, heldBy: [] },
  });
});

it('a pool that was made smaller than what is taken has nothing available', async () => {
  await stage.server.query(`INSERT INTO pools VALUES ('resource:llm', 4, 2)`);
  expect((await reader.read()).pools.get('resource:llm')).toMatchObject({ available: 0, max: 2 });
});

it('adds what is not folded yet to the counts of jobs, deletions too', async () => {
  const id = await stage.put(pipeline, { fields: { status: 'completed', open: 0n } });
  await stage.put(pipeline, { fields: { status: 'completed', open: 0n } });
  await stage.server.query(`INSERT INTO job_counts VALUES ('p', 'completed', 10, 3)`);
  expect((await reader.read()).jobs.get('completed')).toBe(9);
  await stage.server.query('DELETE FROM jobs WHERE id = $1', [id]);
  expect((await reader.read()).jobs.get('completed')).toBe(8);
});

it('shows the queues that living workers take', async () => {
  await stage.server.query(
    `INSERT INTO workers (id, name, version, pid, queues, capacity, lease_until)
     VALUES ('w', 'w', '1', 1, '{default,fast}', 5, now() + interval '1 minute'),
            ('gone', 'g', '1', 1, '{old}', 5, now() - interval '1 minute')`,
  );
  expect([...(await reader.read()).queues.keys()].sort()).toEqual(['default', 'fast']);
});

it('goes by indexes, however many jobs there were', async () => {
  const lane = new LaneClient(await stage.connect(1));
  const text = await lane.run(async (client) => {
    const plans: string[] = [];
    for (const { name, text: sql } of FLEET_STATEMENTS) {
      await client.query(`PREPARE "plan_of_${name}" AS ${sql}`);
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `EXPLAIN EXECUTE "plan_of_${name}"${sql.includes('$1') ? '(2000)' : ''}`,
      );
      plans.push(...rows.map((row) => row['QUERY PLAN']));
    }
    return plans.join('\n');
  });
  await lane.drop();
  expect(text).not.toMatch(/Seq Scan on (jobs|steps|attempts)/);
  for (const index of ['jobs_active', 'steps_pkey', 'steps_running', 'steps_retrying', 'steps_parked']) {
    expect(text).toContain(index);
  }
});

describe('with more at work than is looked at one by one', () => {
  let nats: TestNats;
  let bus: BusStage;
  let look: FleetLook;

  beforeAll(async () => {
    nats = await startTestNats();
    bus = await BusStage.open(nats.url);
  });
  afterAll(async () => {
    await bus.close();
    await nats.stop();
  });
  beforeEach(async () => {
    look = new FleetLook(await stage.connect(2), bus.bus, { queues: QUEUES, mostJobs: 1 });
  });
  afterEach(() => look.close());

  /** A look that NATS has answered in time: on a busy machine that takes a few. */
  const answered = (over: FleetLook): Promise<FleetState> =>
    until(
      async () => {
        const state = await over.look();
        const isKnown = ['default', 'heavy'].every((name) => state.queues.get(name)?.ready !== null);
        return isKnown ? state : null;
      },
      { what: 'an answer of NATS', deadlineMs: 60_000, everyMs: 100 },
    );

  const putThree = async (at: number): Promise<void> => {
    for (const age of [10, 20, 30]) {
      const row = { idx: 1, status: 'parked', waitsFor: 'resource:llm' } as const;
      await stage.put(pipeline, { fields: { open: 0b11n, dispatchedAt: at - age * SECOND }, rows: [row] });
    }
  };

  it('the stream says how many messages wait, and since when', async () => {
    const at = await now();
    await putThree(at);
    for (const age of [40, 50]) await bus.publish(JSON.stringify({ at: at - age * SECOND }), 'low');
    await bus.publish('no JSON', 'high');
    const { queues } = await answered(look);
    expect(queues.get('default')).toMatchObject({ ready: 3, running: 0, retrying: 0 });
    expect(queues.get('default')?.oldestReadySeconds).toBeGreaterThanOrEqual(40);
    expect(queues.get('heavy')).toMatchObject({ ready: 3 });
    expect(queues.get('heavy')?.oldestReadySeconds).toBeGreaterThanOrEqual(30);
  }, 90_000);

  it('without NATS nobody can tell how many, but since when, and soon', async () => {
    await putThree(await now());
    const away = NatsBus.open({ url: 'nats://127.0.0.1:9', name: 'away', log: bus.log });
    const alone = new FleetLook(await stage.connect(2), away, { queues: QUEUES, mostJobs: 1 });
    try {
      const { queues } = await alone.look();
      expect(queues.get('heavy')).toMatchObject({ ready: null });
      expect(queues.get('heavy')?.oldestReadySeconds).toBeGreaterThanOrEqual(9);
    } finally {
      await alone.close();
      await away.close(100);
    }
  });

  it('one look is shared by all who ask meanwhile; later there is another', async () => {
    const [first, second] = await Promise.all([look.look(), look.look()]);
    expect(second).toBe(first);
    await putThree(await now());
    await until(async () => (await look.look()).jobs.get('running') === 3, { deadlineMs: 25_000 });
  });

  it('a queue without a consumer keeps nobody from the others', async () => {
    await putThree(await now());
    await bus.publish('{}', 'default', 'heavy');
    const odd = new FleetLook(await stage.connect(2), bus.bus, { queues: ['nowhere', 'heavy'], mostJobs: 1 });
    try {
      const { queues } = await answered(odd);
      expect(queues.get('nowhere')).toMatchObject({ ready: null });
      expect(queues.get('heavy')?.ready).toBeGreaterThanOrEqual(4);
    } finally {
      await odd.close();
    }
  }, 90_000);
});
