import { WebSocket } from 'ws';
import type { BusLog } from '#shared/bus/bus-log';
import { NatsBus } from '#shared/bus/nats-bus';
import { TelemetryFeed } from '#shared/bus/telemetry-feed';
import type { AttemptView, JobView } from '#shared/contracts/job';
import type { LiveEvent } from '#shared/contracts/live-event';
import { telemetryBatch } from '#shared/contracts/telemetry';
import { SHORT_TIMES, submitMany } from '../faults/oracle';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import { testHandlers } from '../support/test-handlers';

const CPU_MS = 2_000;
const HOLD_MB = 200;
const LONG = { deadlineMs: 150_000, everyMs: 100 };

/** The same as `test_burn`, for a program: all that its process used is its own. */
const BURN = `
  const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  const held = Buffer.alloc(${HOLD_MB} * 1048576, 1);
  while (usedMs() < ${CPU_MS}) for (let i = 0; i < 1e6; i += 1);
  console.log(JSON.stringify({ process_cpu_ms: usedMs(), memory_mb: process.memoryUsage.rss() / 1048576, held: held.length }));`;

const step = (name: string, uses: string, options: object, more: object = {}): object => ({
  name,
  uses,
  options,
  ...more,
});
const burn = { cpu_ms: CPU_MS, hold_mb: HOLD_MB };
const program = { command: [process.execPath, '-e', BURN] };
const tree = { command: ['sh', '-c', '"$0" -e "$1" & wait; exit 0', process.execPath, BURN] };

/** One after the other: steps that share the worker would share its figures. */
const PIPELINES = JSON.stringify({
  retry: { max_retries: 1, back_off_seconds: 0.1 },
  pipelines: {
    figures: {
      steps: [
        step('inline', 'test_burn', burn),
        step('isolated', 'test_burn', burn, { isolation: 'process' }),
        step('command', 'command', program),
        step('tree', 'command', tree),
      ],
    },
    quick: { steps: [step('a', 'noop', {}), step('b', 'noop', {})] },
    fails: {
      steps: [step('a', 'noop', {}), step('bad', 'command', { command: ['false'] }), step('after', 'noop', {})],
    },
    late: { steps: [step('slow', 'noop', { duration_ms: 60_000 }, { timeout: '200ms', max_retries: 0 })] },
    long: { steps: [step('only', 'noop', { duration_ms: 600_000 })] },
  },
});

const log: BusLog = { info: () => undefined, warn: () => undefined, error: () => undefined };
let stack: TestStack;

beforeAll(async () => {
  // Without a metrics service: the test reads the telemetry in its place.
  stack = await TestStack.start({
    services: ['gateway', 'scheduler'],
    pipelines: PIPELINES,
    env: { ...SHORT_TIMES, SLUICE_INTERNAL_LEASE: '3s', SLUICE_INTERNAL_SWEEP_MARGIN: '6s', ...testHandlers('') },
  });
}, 180_000);

afterAll(() => stack.stop(), 60_000);

const get = async <T>(path: string): Promise<T> => (await (await fetch(`${stack.url}${path}`)).json()) as T;

async function submit(pipeline: string): Promise<string> {
  const [id] = await submitMany(stack, 1, { pipeline });
  if (id === undefined) throw new Error('nothing was submitted');
  return id;
}

const ended = (id: string): Promise<JobView> =>
  until(
    async () => {
      const job = await get<JobView>(`/v1/ingest/${id}`);
      return ['completed', 'failed', 'cancelled'].includes(job.status) && job;
    },
    { ...LONG, what: 'the end of the job' },
  );

const attemptsOf = async (id: string): Promise<AttemptView[]> =>
  (await get<{ items: AttemptView[] }>(`/v1/ingest/${id}/attempts`)).items;

interface Figures {
  readonly cpu_percent?: number | null | undefined;
  readonly memory_mb?: number | null | undefined;
}

/** What the job's socket says of each completed step until it is closed: by its event, or by a snapshot in its place. */
async function toldOf(id: string): Promise<{ figures: Map<string, Figures>; closed: Promise<unknown> }> {
  const figures = new Map<string, Figures>();
  const socket = new WebSocket(`${stack.url.replace('http', 'ws')}/v1/ingest/ws/status/${id}`);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let isWatched = false;
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as { type: 'snapshot'; job: JobView } | (LiveEvent & { type: 'event' });
    isWatched = true;
    if (message.type === 'snapshot') {
      for (const each of message.job.steps) if (each.status === 'completed') figures.set(each.name, each);
    } else if (message.event === 'step.completed' && message.step !== undefined) figures.set(message.step, message);
  });
  await until(() => isWatched, LONG);
  return { figures, closed };
}

describe('the figures of a step that burns a CPU for two seconds and holds 200 MB', () => {
  let job: JobView;
  let attempts: AttemptView[];
  let told: Map<string, Figures>;

  beforeAll(async () => {
    const id = await submit('figures');
    const { figures, closed } = await toldOf(id);
    job = await ended(id);
    await closed;
    told = figures;
    attempts = await attemptsOf(id);
  }, 300_000);

  it('are there: the job has completed', () => {
    expect([job.status, job.last_error]).toEqual(['completed', null]);
  });

  it.each([
    ['inline', 'own_cpu_ms'],
    ['isolated', 'process_cpu_ms'],
    ['command', 'process_cpu_ms'],
  ])('%s: are within 15 %% of what the system says of its process', (name, counted) => {
    const attempt = attempts.find((each) => each.step === name);
    const said = job.steps.find((each) => each.name === name)?.output as Record<string, number>;
    const cpuMs = ((attempt?.cpu_percent ?? 0) / 100) * (attempt?.duration_ms ?? 0);
    expect(said[counted]).toBeGreaterThanOrEqual(CPU_MS);
    expect(cpuMs / (said[counted] ?? 0)).toBeGreaterThan(0.85);
    expect(cpuMs / (said[counted] ?? 0)).toBeLessThan(1.15);
    expect(said.memory_mb).toBeGreaterThan(HOLD_MB);
    expect((attempt?.memory_mb ?? 0) / (said.memory_mb ?? 0)).toBeGreaterThan(0.85);
    expect((attempt?.memory_mb ?? 0) / (said.memory_mb ?? 0)).toBeLessThan(1.15);
  });

  it('are those of a whole tree: of a shell that only waits for a child that burns', () => {
    const attempt = attempts.find((each) => each.step === 'tree');
    const said = job.steps.find((each) => each.name === 'tree')?.output as Record<string, number>;
    const cpuMs = ((attempt?.cpu_percent ?? 0) / 100) * (attempt?.duration_ms ?? 0);
    expect(cpuMs / (said.process_cpu_ms ?? 0)).toBeGreaterThan(0.85);
    expect(cpuMs / (said.process_cpu_ms ?? 0)).toBeLessThan(1.15);
    expect((attempt?.memory_mb ?? 0) / (said.memory_mb ?? 0)).toBeGreaterThan(0.85);
    expect((attempt?.memory_mb ?? 0) / (said.memory_mb ?? 0)).toBeLessThan(1.15);
  });

  it('are the same in the status, the attempts and the socket', () => {
    for (const { step: name, cpu_percent, memory_mb, duration_ms } of attempts) {
      expect([cpu_percent, memory_mb, duration_ms]).not.toContain(null);
      expect(job.steps.find((each) => each.name === name)).toMatchObject({ cpu_percent, memory_mb, duration_ms });
      expect(told.get(name)?.cpu_percent).toBeCloseTo(cpu_percent ?? -1, 1);
      expect(told.get(name)?.memory_mb).toBeCloseTo(memory_mb ?? -1, 1);
    }
    expect(attempts).toHaveLength(4);
  });
});

describe('the telemetry of a fleet', () => {
  let bus: NatsBus;
  let feed: TelemetryFeed;
  const batches = new Map<string, ReturnType<typeof telemetryBatch.parse>>();

  beforeAll(async () => {
    bus = await NatsBus.connect({ url: stack.nats.url, name: 'figures-spec', log });
    feed = new TelemetryFeed({
      bus,
      log,
      async onBatches(payloads) {
        for (const payload of payloads) {
          const batch = telemetryBatch.parse(JSON.parse(Buffer.from(payload).toString()));
          batches.set(batch.id, batch);
        }
      },
    });
    feed.start();
  }, 60_000);
  afterAll(async () => {
    await feed.stop(2_000);
    await bus.close(1_000);
  }, 30_000);

  /** How many attempts, by minute, step and outcome; and how many retries. */
  function told(): Record<string, number> {
    const counts: Record<string, number> = {};
    const add = (key: string, more: number): void => void (counts[key] = (counts[key] ?? 0) + more);
    for (const { minute, pipeline, step: name, usage } of [...batches.values()].flatMap((batch) => batch.steps)) {
      for (const [outcome, count] of Object.entries(usage.outcomes))
        add(`${minute} ${pipeline} ${name} ${outcome}`, count);
      for (const [kind, count] of Object.entries(usage.retries))
        add(`${minute} ${pipeline} ${name} retried ${kind}`, count);
      add(`${minute} ${pipeline} ${name} figures`, usage.duration_ms.count);
    }
    return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  }

  async function recorded(): Promise<Record<string, number>> {
    const rows = await stack.query<{ key: string; count: number }>(
      `WITH named AS (
         SELECT a.*, p.name AS pipeline, p.definition -> 'steps' -> a.idx::int ->> 'name' AS step,
                to_char(date_trunc('minute', finished_at AT TIME ZONE 'UTC'), 'YYYY-MM-DD"T"HH24:MI:SS.000"Z"') AS minute
         FROM attempts a JOIN jobs j ON j.id = a.job_id JOIN pipelines p ON p.hash = j.pipeline_hash
       ), said AS (
         SELECT concat_ws(' ', minute, pipeline, step, outcome) AS key FROM named
         UNION ALL SELECT concat_ws(' ', minute, pipeline, step, 'retried', error ->> 'kind') FROM named
         WHERE next_delay_ms IS NOT NULL
         UNION ALL SELECT concat_ws(' ', minute, pipeline, step, 'figures') FROM named WHERE duration_ms IS NOT NULL
       )
       SELECT key, count(*)::int AS count FROM said GROUP BY key`,
    );
    return Object.fromEntries(rows.map(({ key, count }) => [key, count]));
  }

  it('is what the attempts say: done, failed and retried, out of time, cancelled, crashed', async () => {
    await submitMany(stack, 200, { pipeline: 'quick' });
    const others = [await submit('fails'), await submit('late')];
    const [cancelled, crashed] = [await submit('long'), await submit('long')];
    const isRunning = async (id: string): Promise<boolean> =>
      (await get<JobView>(`/v1/ingest/${id}`)).steps[0]?.status === 'running';
    await until(async () => (await isRunning(cancelled)) && (await isRunning(crashed)), LONG);
    await fetch(`${stack.url}/v1/ingest/${cancelled}/cancel`, { method: 'POST' });
    for (const id of [...others, cancelled]) await ended(id);
    const busy = `SELECT FROM jobs WHERE pipeline = 'quick' AND status <> 'completed'`;
    await until(async () => (await stack.query(busy)).length === 0, LONG);
    // Told before its worker dies: what a dead worker had not sent is for the comparison with the attempts.
    await until(async () => expect(told()).toEqual(await recorded()) === undefined, LONG);
    await stack.workers[0]?.kill();
    await stack.addWorker();
    await until(async () => (await attemptsOf(crashed)).some(({ outcome }) => outcome === 'crashed'), LONG);
    await until(async () => expect(told()).toEqual(await recorded()) === undefined, LONG);
    const outcomes = new Set(Object.keys(told()).map((key) => key.split(' ')[3]));
    expect([...outcomes].sort()).toEqual([
      ...['cancelled', 'completed', 'crashed', 'failed', 'figures', 'retried', 'timeout'],
    ]);
    await fetch(`${stack.url}/v1/ingest/${crashed}/cancel`, { method: 'POST' });
    await ended(crashed);
  }, 400_000);

  it('is sent by a worker that is told to end, to the last attempt', async () => {
    const [, worker] = stack.workers;
    await submitMany(stack, 300, { pipeline: 'quick' });
    const done = `SELECT count(*)::int AS count FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE j.pipeline = 'quick'`;
    await until(async () => ((await stack.query<{ count: number }>(done))[0]?.count ?? 0) > 420, LONG);
    expect(await worker?.stop()).toMatchObject({ code: 0 });
    await until(async () => expect(told()).toEqual(await recorded()) === undefined, LONG);
  }, 300_000);
});
