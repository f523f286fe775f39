import type { Frontier } from '#shared/bus/frontier';
import type { NatsBus } from '#shared/bus/nats-bus';
import type { StepDefinition } from '#shared/domain/pipeline';
import { pipelineGraph } from '#shared/domain/pipeline';
import { stepsIn } from '#shared/domain/step-set';
import type { JobFields, Micros, StepRow } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import type { JobCommand, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import type { ActiveJob, StuckSteps, SweepPosition } from '#shared/store/jobs/stuck-steps';
import { draftOf, NOW, pipelineOf, SECOND, set, stepNamed } from '../../../test/support/drafts';
import { LostStepMender } from './lost-step-mender';
import type { Dispatch, TurnDispatch } from './turn-dispatch';

const readFrontier = jest.fn<Promise<Frontier>, [bus: unknown, queue: string, priority: string]>();
jest.mock('#shared/bus/frontier', () => ({
  readFrontier: (...asked: [unknown, string, string]) => readFrontier(...asked),
  purgeAcknowledgedOrphans: async () => 0,
}));

const MARGIN_MS = 20_000;
const LOOK_MS = 5_000;

interface StoredJob {
  readonly fields: JobFields;
  rows: StepRow[];
  readonly createdAt: Micros;
}

/** A database and a stream as the mender sees them, on one clock that the test moves. */
class World {
  readonly jobs: StoredJob[] = [];
  readonly leases = new Map<string, Micros>();
  /** `at` of messages not yet delivered, by `queue.priority`. */
  readonly undelivered = new Map<string, Micros[]>();
  readonly sent: Dispatch[] = [];
  readonly pages: number[] = [];
  ensured = 0;
  isReachable = true;
  /** What others do between the finding of a job and its lock. */
  beforeRun: () => void = () => undefined;
  readonly mender: LostStepMender;

  constructor(readonly steps: StepDefinition[] = [stepNamed('a'), stepNamed('b', { needs: ['a'] })]) {
    const definition = pipelineOf(steps);
    const pipeline = { hash: 'h', definition, graph: pipelineGraph(steps) };
    readFrontier.mockImplementation(async (_, queue, priority) => this.frontier(`${queue}.${priority}`));
    this.mender = new LostStepMender({
      bus: {} as NatsBus,
      queues: ['default', 'other'],
      stuck: { now: async () => this.now, activeJobs: this.activeJobs.bind(this) } as unknown as StuckSteps,
      transactions: { run: this.run.bind(this) } as unknown as JobTransactions,
      pipelines: { peek: () => pipeline } as unknown as PipelineStore,
      dispatch: { send: async (one: Dispatch) => this.sent.push(one) } as unknown as TurnDispatch,
      ensure: async () => void (this.ensured += 1),
      marginMs: MARGIN_MS,
      lookMs: LOOK_MS,
      log: { warn: () => undefined, info: () => undefined } as unknown as Logger,
    });
  }

  get now(): Micros {
    return NOW + Math.round(performance.now() * 1_000);
  }

  add(job: Partial<JobFields> = {}, rows: StepRow[] = []): StoredJob {
    const id = `0190a0b0-0000-7000-8000-${this.jobs.length.toString().padStart(12, '0')}`;
    const { job: fields } = draftOf({ pipeline: pipelineOf(this.steps), job: { id, dispatchedAt: this.now, ...job } });
    const added = { fields, rows, createdAt: this.now };
    this.jobs.push(added);
    return added;
  }

  /** Looks every five seconds for so long. */
  async look(ms: number, everyMs = LOOK_MS): Promise<void> {
    for (let passed = 0; passed < ms; passed += everyMs) {
      jest.advanceTimersByTime(everyMs);
      await this.mender.runOnce();
    }
  }

  private frontier(subject: string): Frontier {
    if (!this.isReachable) return { kind: 'unknown', reason: 'no answer' };
    const [at] = this.undelivered.get(subject) ?? [];
    if (at === undefined) return { kind: 'empty' };
    const message = { job_id: '0190a0b0-0000-7000-8000-000000000009', run: 1, head: 0, at, read: false };
    return { kind: 'message', seq: 1, data: Buffer.from(JSON.stringify({ ...message, pipeline_hash: 'h' })) };
  }

  private async activeJobs(from: SweepPosition, before: Micros, marginMs: number, limit: number): Promise<ActiveJob[]> {
    const after = ({ createdAt, fields }: StoredJob): boolean =>
      createdAt > from.createdAt || (createdAt === from.createdAt && fields.id > from.id);
    const found = this.jobs
      .filter(({ fields }) => fields.status === 'running' && (fields.dispatchedAt ?? 0) < this.now - marginMs * 1_000)
      .filter((job) => after(job) && job.createdAt < before)
      .slice(0, limit)
      .map(({ fields, rows, createdAt }) => ({
        ...{
          id: fields.id,
          pipelineHash: 'h',
          priority: fields.priority,
          run: fields.run,
          open: fields.open,
          createdAt,
        },
        ...{ dispatchedAt: fields.dispatchedAt ?? 0, rows: rows.map(({ idx, status }) => ({ idx, status })) },
      }));
    this.pages.push(found.length);
    return found;
  }

  private async run(command: JobCommand<unknown>): Promise<unknown> {
    this.beforeRun();
    const job = this.jobs.find(({ fields }) => fields.id === command.jobId);
    if (!job) return null;
    const draft = draftOf({ pipeline: pipelineOf(this.steps), job: job.fields, rows: job.rows, now: this.now });
    const result = command.apply(draft, { leases: this.leases, pools: new Map(), statusOf: () => undefined });
    Object.assign(job.fields, draft.job);
    job.rows = [...draft.rows.values()];
    return { result, draft };
  }
}

const stepsSent = (world: World): [string, number[]][] =>
  world.sent.map(({ jobId, steps }) => [jobId.slice(-1), stepsIn(steps)]);

const row = (over: Partial<StepRow> & { readonly idx: number }): StepRow => {
  const [made] = draftOf({ rows: [over] }).rows.values();
  if (!made) throw new Error('no row');
  return made;
};

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('LostStepMender', () => {
  it('sends a lost step once more, to be claimed, when its subject has been empty for a margin, and not before', async () => {
    const world = new World();
    world.add({ priority: 'high', run: 2 });
    await world.look(MARGIN_MS);
    expect(world.sent).toEqual([]);
    await world.look(LOOK_MS);
    expect(world.sent).toMatchObject([{ priority: 'high', run: 2, steps: set(0), read: true, at: world.now }]);
  });

  it('sends one message per loss: the step has to be passed anew', async () => {
    const world = new World();
    world.add();
    await world.look(2 * MARGIN_MS);
    expect(world.sent).toHaveLength(1);
    await world.look(MARGIN_MS);
    expect(world.sent).toHaveLength(2);
  });

  it('leaves a step whose message still waits, however long, and one behind it', async () => {
    const world = new World();
    world.undelivered.set('default.default', [world.now]);
    world.add();
    await world.look(5 * MARGIN_MS);
    expect(world.sent).toEqual([]);
  });

  it('mends a step that the frontier has passed while later messages wait', async () => {
    const world = new World();
    world.add();
    jest.advanceTimersByTime(1);
    world.undelivered.set('default.default', [world.now]);
    world.add();
    await world.look(MARGIN_MS + LOOK_MS);
    expect(stepsSent(world)).toEqual([['0', [0]]]);
  });

  it('leaves a step that was delivered only just now, after a long wait', async () => {
    const world = new World();
    await world.look(2 * MARGIN_MS);
    // A burst right after a look that saw nothing; it takes the workers more than a margin.
    jest.advanceTimersByTime(100);
    world.add();
    world.undelivered.set('default.default', [world.now]);
    for (const pauseMs of [5_400, 4_900, 4_900]) await world.look(pauseMs, pauseMs);
    world.undelivered.clear();
    await world.look(4_900, 4_900);
    expect(world.sent).toEqual([]);
    await world.look(MARGIN_MS);
    expect(world.sent).toHaveLength(1);
  });

  it('concludes nothing from what it saw before it was stopped for a while', async () => {
    const world = new World();
    await world.look(2 * MARGIN_MS);
    jest.advanceTimersByTime(100);
    world.add();
    jest.advanceTimersByTime(10 * MARGIN_MS);
    await world.look(MARGIN_MS);
    expect(world.sent).toEqual([]);
    await world.look(LOOK_MS);
    expect(world.sent).toHaveLength(1);
  });

  it('starts over when the stream was out of reach, and has it brought back', async () => {
    const world = new World();
    world.add();
    await world.look(MARGIN_MS);
    world.isReachable = false;
    await world.look(LOOK_MS);
    expect(world.ensured).toBe(6);
    world.isReachable = true;
    await world.look(MARGIN_MS);
    expect(world.sent).toEqual([]);
    await world.look(LOOK_MS);
    expect(world.sent).toHaveLength(1);
  });

  it('takes a message that cannot be read for one that nothing has passed', async () => {
    const world = new World();
    world.add();
    readFrontier.mockResolvedValue({ kind: 'message', seq: 1, data: Buffer.from('{"at":') });
    await world.look(3 * MARGIN_MS);
    expect(world.sent).toEqual([]);
  });

  it('looks at the subject of each step: its queue, its job’s priority', async () => {
    const world = new World([stepNamed('a'), stepNamed('b', { queue: 'other' })]);
    world.undelivered.set('other.default', [world.now]);
    world.undelivered.set('default.low', [world.now]);
    world.add({ open: set(0, 1) });
    world.add({ open: set(0, 1), priority: 'low' });
    world.add({ open: set(0, 1), priority: 'high' });
    await world.look(MARGIN_MS + LOOK_MS);
    expect(stepsSent(world)).toEqual([
      ['0', [0]],
      ['1', [1]],
      ['2', [0, 1]],
    ]);
  });

  it('goes by the row: mends what nobody moves, leaves what a live worker, the scheduler or a token moves', async () => {
    const names = ['none', 'queued', 'gone', 'alive', 'waiting', 'overdue', 'scheduled', 'parked'];
    const world = new World(names.map((name) => stepNamed(name)));
    const end = NOW + 60 * SECOND;
    world.leases.set('alive', Infinity);
    world.leases.set('gone', NOW);
    world.add({ open: pipelineGraph(world.steps).all, slow: pipelineGraph(world.steps).all }, [
      row({ idx: 1, status: 'queued' }),
      row({ idx: 2, status: 'running', worker: 'gone' }),
      row({ idx: 3, status: 'running', worker: 'alive' }),
      row({ idx: 4, status: 'retrying', nextRetryAt: end - MARGIN_MS * 1_000 }),
      row({ idx: 5, status: 'retrying', nextRetryAt: NOW }),
      row({ idx: 6, status: 'retrying', nextRetryAt: NOW, awaitsScheduler: true }),
      row({ idx: 7, status: 'parked' }),
    ]);
    await world.look(MARGIN_MS + LOOK_MS);
    expect(stepsSent(world)).toEqual([['0', [0, 1, 2, 5]]]);
  });

  it('leaves a job that somebody else has moved since it was found', async () => {
    const world = new World();
    const job = world.add();
    world.beforeRun = () => (job.fields.dispatchedAt = world.now);
    await world.look(MARGIN_MS + LOOK_MS);
    expect(world.sent).toEqual([]);
  });

  it('goes through all jobs page by page, and round again', async () => {
    const world = new World();
    for (let count = 0; count < 2_500; count += 1) world.add();
    await world.look(MARGIN_MS + LOOK_MS);
    expect(world.pages.filter((found) => found > 0)).toEqual([1_000, 1_000, 500]);
    expect(new Set(world.sent.map((one) => one.jobId)).size).toBe(2_500);
    await world.look(MARGIN_MS + LOOK_MS);
    expect(world.sent).toHaveLength(5_000);
  });
});
