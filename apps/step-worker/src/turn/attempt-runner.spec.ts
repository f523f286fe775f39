import { z } from 'zod';
import type { Delivery } from '#shared/bus/work-consumer';
import type { StepContext, StepHandler } from '#shared/contracts/handler';
import type { WorkData } from '#shared/contracts/work-message';
import type { JsonObject } from '#shared/domain/json';
import { pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { PermanentError } from '#shared/domain/step-errors';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { WorkDataReader } from '#shared/store/jobs/work-data-reader';
import { MEASURED, pipelineOf, stepNamed } from '../../../../test/support/drafts';
import { TurnSlots } from '../keeper/turn-slots';
import { Incarnation, type WorkerLease } from '../lease/worker-lease';
import { recordFigures } from '../processes/own-figures';
import type { AttemptMeter } from '../reports/attempt-meter';
import type { ProgressRecorder } from '../reports/progress-recorder';
import { ActiveTurn } from './active-turn';
import { AttemptRunner } from './attempt-runner';
import type { TurnSettlement } from './turn-settlement';

const DATA: WorkData = {
  ...{ source: '/s', source_type: 'local_path', branch: null, commit: null, input: { n: 1 }, options: {}, outputs: {} },
};

class Bench {
  readonly began: string[] = [];
  readonly seen: StepContext<unknown>[] = [];
  readonly asked: bigint[] = [];
  lease = new Incarnation('me-1', 0, Infinity);
  isolatedRun: (context: StepContext<unknown>) => Promise<JsonObject> = async () => ({ isolated: true });
  /** What the store gives, when it is asked. */
  read: () => WorkData | null = () => DATA;
  readonly runner: AttemptRunner;
  private readonly pipeline: StoredPipeline;

  constructor(
    private readonly run: (context: StepContext<unknown>) => Promise<JsonObject> = async () => ({ ok: true }),
    steps: StepDefinition[] = [stepNamed('a'), stepNamed('b', { needs: ['a'], options: { depth: 1 } })],
  ) {
    const definition = pipelineOf(steps);
    this.pipeline = { hash: 'h', definition, graph: pipelineGraph(definition.steps) };
    const handler: StepHandler<unknown> = {
      definition: {
        ...{ name: 'noop', description: '', jobOptions: ['depth'], repeatable: true },
        options: z.strictObject({ depth: z.number().max(5).default(3) }),
      },
      run: async (context) => {
        this.seen.push(context);
        return this.run(context);
      },
    };
    const lease = Object.defineProperty({}, 'current', { get: () => this.lease }) as WorkerLease;
    this.runner = new AttemptRunner({
      handlers: new Map([['noop', handler]]),
      isolated: new Map([['noop', { ...handler, run: async (context) => this.isolatedRun(context) }]]),
      pipelines: {} as never,
      data: {
        read: async (_: string, __: unknown, of: bigint) => (this.asked.push(of), this.read()),
      } as unknown as WorkDataReader,
      lease,
      meter: { start: () => ({ startedAt: MEASURED.startedAt, end: () => MEASURED }) } as unknown as AttemptMeter,
      recorder: { of: () => ({ progress: () => undefined, log: () => undefined }) } as unknown as ProgressRecorder,
      settlement: { began: (turn: ActiveTurn) => this.began.push(turn.key) } as unknown as TurnSettlement,
      slots: new TurnSlots(0),
      stuckAfterMs: 30_000,
      onStuck: () => undefined,
    });
  }

  turn(idx: number, data?: WorkData): ActiveTurn {
    const message = { job_id: 'job', run: 1, head: idx, at: 1, read: data === undefined, pipeline_hash: 'h', data };
    const turn = new ActiveTurn(message, {} as Delivery, this.lease);
    turn.fast = data !== undefined;
    turn.current = { idx, epoch: 1, attempt: 1, grantedBy: this.lease };
    return turn;
  }

  attempt(turn: ActiveTurn): ReturnType<AttemptRunner['run']> {
    if (!turn.current) throw new Error('nothing to run');
    return this.runner.run(turn, this.pipeline, turn.current);
  }
}

describe('AttemptRunner', () => {
  it('reads nothing when the turn brought all that the step works on', async () => {
    const bench = new Bench();
    const outputs = { a: { found: 2 } };
    await expect(bench.attempt(bench.turn(1, { ...DATA, outputs }))).resolves.toEqual({
      ...{ kind: 'completed', output: { ok: true }, measured: MEASURED },
    });
    expect([bench.asked, bench.seen[0]?.outputs, bench.seen[0]?.input.input]).toEqual([[], outputs, { n: 1 }]);
  });

  it('reads when an output is missing, or the message carried nothing', async () => {
    const bench = new Bench();
    bench.read = () => ({ ...DATA, outputs: { a: { found: 9 } } });
    await bench.attempt(bench.turn(1, DATA));
    await bench.attempt(bench.turn(1));
    expect(bench.asked).toEqual([1n, 1n]);
    expect(bench.seen.map((context) => context.outputs)).toEqual([{ a: { found: 9 } }, { a: { found: 9 } }]);
  });

  it('remembers the output for the steps that the turn goes on with', async () => {
    const bench = new Bench();
    const turn = bench.turn(0, DATA);
    await bench.attempt(turn);
    turn.current = { idx: 1, epoch: 1, attempt: 1, grantedBy: bench.lease };
    await bench.attempt(turn);
    expect(bench.seen[1]?.outputs).toEqual({ a: { ok: true } });
  });

  it.each([
    ['ran out', (bench: Bench) => bench.lease.end()],
    ['was lost, and another taken', (bench: Bench) => (bench.lease = new Incarnation('me-2', 0, Infinity))],
  ])('begins nothing when the lease %s while it read', async (_, lose) => {
    const bench = new Bench();
    bench.read = () => {
      lose(bench);
      return DATA;
    };
    await expect(bench.attempt(bench.turn(0))).resolves.toEqual({
      kind: 'stopped',
      reason: 'stale',
      measured: MEASURED,
    });
    expect([bench.seen, bench.began]).toEqual([[], []]);
  });

  it('begins nothing of a job that is gone', async () => {
    const bench = new Bench();
    bench.read = () => null;
    await expect(bench.attempt(bench.turn(0))).resolves.toMatchObject({ kind: 'stopped', reason: 'stale' });
    expect(bench.seen).toEqual([]);
  });

  it('passes on that the store cannot be read', async () => {
    const bench = new Bench();
    bench.read = () => {
      throw new Error('no answer');
    };
    await expect(bench.attempt(bench.turn(0))).rejects.toThrow('no answer');
  });

  it('says that an unread step has begun, so that it is recorded if it takes long; of a claimed one the row says so', async () => {
    const bench = new Bench();
    await bench.attempt(bench.turn(0, DATA));
    await bench.attempt(Object.assign(bench.turn(0, DATA), { recorded: true }));
    await bench.attempt(bench.turn(0));
    expect(bench.began).toEqual(['job:1:0']);
  });

  it('gives the handler the pipeline’s options with the job’s over them, as its schema has them', async () => {
    const bench = new Bench();
    await bench.attempt(bench.turn(0, DATA));
    const outputs = { a: {} };
    await bench.attempt(bench.turn(1, { ...DATA, outputs }));
    await bench.attempt(bench.turn(1, { ...DATA, outputs, options: { b: { depth: 5 }, a: { depth: 4 } } }));
    await bench.attempt(bench.turn(1, { ...DATA, outputs }));
    expect(bench.seen.map((context) => context.options)).toEqual([
      { depth: 3 },
      { depth: 1 },
      { depth: 5 },
      { depth: 1 },
    ]);
  });

  it('fails for good when the options do not fit, and for now when it has no such handler', async () => {
    const bench = new Bench(undefined, [stepNamed('a', { options: { depth: 9 } }), stepNamed('b', { uses: 'other' })]);
    await expect(bench.attempt(bench.turn(0, DATA))).resolves.toMatchObject({
      ...{ kind: 'failed', outcome: 'failed', error: { kind: 'permanent', code: 'bad_options' } },
    });
    await expect(bench.attempt(bench.turn(1, DATA))).resolves.toMatchObject({
      error: { kind: 'transient', code: 'unknown_handler', message: 'this worker has no handler called other' },
    });
    expect(bench.seen).toEqual([]);
  });

  it('runs a step with isolation by process as such, with the figures that its process had', async () => {
    const bench = new Bench(undefined, [stepNamed('a', { isolation: 'process' })]);
    await expect(bench.attempt(bench.turn(0, DATA))).resolves.toMatchObject({
      ...{ output: { isolated: true }, measured: MEASURED },
    });
    bench.isolatedRun = async (context) => {
      recordFigures(context, { cpuMs: MEASURED.durationMs / 2, memoryMb: 123.4 });
      throw new PermanentError('no');
    };
    await expect(bench.attempt(bench.turn(0, DATA))).resolves.toMatchObject({
      kind: 'failed',
      measured: { ...MEASURED, cpuPercent: 50, memoryMb: 123.4 },
    });
    expect(bench.seen).toEqual([]);
  });

  it('can be told to stop while the handler runs, and not afterwards', async () => {
    const reasons: unknown[] = [];
    const turnRef: { turn?: ActiveTurn } = {};
    const bench = new Bench(async (context) => {
      turnRef.turn?.abort?.('drain');
      reasons.push((context.signal.reason as { reason: string }).reason);
      throw new PermanentError('gave up');
    });
    turnRef.turn = bench.turn(0, DATA);
    await expect(bench.attempt(turnRef.turn)).resolves.toMatchObject({ kind: 'stopped', reason: 'drain' });
    expect([reasons, turnRef.turn.abort]).toEqual([['drain'], undefined]);
  });

  it('knows which steps may run again without anybody noticing', () => {
    const bench = new Bench(undefined, [stepNamed('a'), stepNamed('b', { uses: 'other' })]);
    const pipeline = {
      hash: 'h',
      definition: pipelineOf([stepNamed('a'), stepNamed('b', { uses: 'other' })]),
    } as StoredPipeline;
    expect([0, 1, 2].map((idx) => bench.runner.isRepeatable(pipeline, idx))).toEqual([true, false, false]);
  });
});
