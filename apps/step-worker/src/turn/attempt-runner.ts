import type { StepHandler } from '#shared/contracts/handler';
import type { WorkData } from '#shared/contracts/work-message';
import type { JsonObject } from '#shared/domain/json';
import type { StepDefinition } from '#shared/domain/pipeline';
import { NO_STEPS } from '#shared/domain/step-set';
import type { Measured } from '#shared/domain/turn/end-attempt';
import { failpoint, guardHolds } from '#shared/runtime/failpoints';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { WorkDataReader } from '#shared/store/jobs/work-data-reader';
import { type BegunStep, type StepLabel, stepLabel, type TurnSlots } from '../keeper/turn-slots';
import type { WorkerLease } from '../lease/worker-lease';
import { figuresOf, type OwnFigures } from '../processes/own-figures';
import type { AttemptMeter } from '../reports/attempt-meter';
import type { ProgressRecorder } from '../reports/progress-recorder';
import type { ActiveTurn, CurrentAttempt } from './active-turn';
import { knownOutputs } from './opened-steps';
import { type AttemptEnd, AttemptStopped, StepExecution } from './step-execution';
import type { TurnSettlement } from './turn-settlement';

export interface AttemptRunnerDeps {
  readonly handlers: ReadonlyMap<string, StepHandler<unknown>>;
  /** The same for steps with `isolation: process`. */
  readonly isolated: ReadonlyMap<string, StepHandler<unknown>>;
  readonly pipelines: PipelineStore;
  readonly data: WorkDataReader;
  readonly lease: WorkerLease;
  readonly meter: AttemptMeter;
  readonly recorder: ProgressRecorder;
  readonly settlement: TurnSettlement;
  /** Where the keeper thread sees what runs. */
  readonly slots: TurnSlots;
  /** How long after it was told to stop a handler may go on. */
  readonly stuckAfterMs: number;
  /** Called when a handler goes on long after it was told to stop. */
  readonly onStuck: (step: string, jobId: string) => void;
}

/** Runs one attempt of a step: gathers what it works on, runs its handler, measures it. */
export class AttemptRunner {
  constructor(private readonly deps: AttemptRunnerDeps) {}

  /** Whether running the step again gives the same and changes nothing. */
  isRepeatable(pipeline: StoredPipeline, idx: number): boolean {
    const uses = pipeline.definition.steps[idx]?.uses;
    return uses !== undefined && this.deps.handlers.get(uses)?.definition.repeatable === true;
  }

  /** Never rejects for what the handler does. @throws the database's error when what it works on cannot be read */
  async run(
    turn: ActiveTurn,
    pipeline: StoredPipeline,
    current: CurrentAttempt,
  ): Promise<AttemptEnd & { readonly measured: Measured }> {
    const step = pipeline.definition.steps[current.idx];
    if (!step) throw new RangeError(`pipeline ${pipeline.definition.name} has no step ${current.idx}`);
    const data = this.dataOf(turn, pipeline, current.idx) ?? (await this.readData(turn, pipeline, current.idx));
    const { startedAt, end } = this.deps.meter.start(turn.message.at);
    // Reading takes time: the lease may have been lost, or the job cancelled, since the begin was granted.
    const { grantedBy } = current;
    const isGranted = grantedBy === this.deps.lease.current && grantedBy.isValid();
    if (turn.cancelled || (!isGranted && guardHolds('worker.lease_at_begin'))) {
      return { kind: 'stopped', reason: 'stale', measured: end() };
    }
    turn.startedAt = startedAt;
    const { ended, own } = await this.execute(turn, step, current, data);
    if (ended.kind === 'completed') turn.outputs.set(step.name, ended.output);
    const measured = end();
    turn.endedAtMs = performance.now();
    return { ...ended, measured: own ? { ...measured, ...inOwnProcess(own, measured.durationMs) } : measured };
  }

  private async execute(
    turn: ActiveTurn,
    step: StepDefinition,
    current: CurrentAttempt,
    data: WorkData | null,
  ): Promise<Executed> {
    const handler = (step.isolation === 'process' ? this.deps.isolated : this.deps.handlers).get(step.uses);
    if (!handler) return failure(`this worker has no handler called ${step.uses}`, 'unknown_handler', 'transient');
    if (!data) return { ended: { kind: 'stopped', reason: 'stale' } };
    const options = optionsOf(handler, step.options, data.options[step.name]);
    if ('fault' in options) return failure(options.fault, 'bad_options', 'permanent');
    const { job_id: jobId } = turn.message;
    const { idx, epoch, attempt } = current;
    const { slots, stuckAfterMs } = this.deps;
    const reports = this.deps.recorder.of({ jobId, idx, step: step.name, epoch, attempt });
    const execution = new StepExecution({
      handler,
      jobId,
      step: step.name,
      attempt,
      input: data,
      outputs: data.outputs,
      options: options.value,
      timeoutMs: step.timeout_ms,
      stuckAfterMs,
      progress: (percent, message) => reports.progress(percent, message),
      log: (level, message) => reports.log(level, message),
      onStuck: () => this.deps.onStuck(step.name, jobId),
    });
    turn.abort = (reason) => execution.stop(new AttemptStopped(reason));
    slots.began(turn.slot, begunStep(turn, step, idx), performance.now());
    if (turn.fast && !turn.recorded) this.deps.settlement.began(turn);
    failpoint('worker.begins', jobId, idx, epoch);
    try {
      return { ended: await execution.run(), own: figuresOf(execution) };
    } finally {
      turn.abort = undefined;
      slots.ended(turn.slot);
    }
  }

  /** What the step works on, where the turn knows it. */
  private dataOf(turn: ActiveTurn, pipeline: StoredPipeline, idx: number): WorkData | undefined {
    if (!turn.message.data) return undefined;
    const outputs = knownOutputs(turn, pipeline, idx);
    return outputs ? { ...turn.message.data, outputs } : undefined;
  }

  private readData(turn: ActiveTurn, pipeline: StoredPipeline, idx: number): Promise<WorkData | null> {
    const steps = pipeline.graph.ancestors[idx] ?? NO_STEPS;
    return this.deps.data.read(turn.message.job_id, pipeline.definition, steps);
  }
}

const labels = new WeakMap<StepDefinition, StepLabel>();

/** What the keeper thread is shown of a step. What a turn has completed before it, unrecorded, only this thread knows. */
function begunStep(turn: ActiveTurn, step: StepDefinition, idx: number): BegunStep {
  const label = labels.get(step) ?? stepLabel(step.name, step.uses);
  labels.set(step, label);
  const { run, head } = turn.message;
  const unrecorded = turn.fast && !turn.recorded && turn.unrecorded.length === 0;
  return { run, head, idx, label, startedAt: turn.startedAt, timeoutMs: step.timeout_ms, unrecorded };
}

interface Executed {
  readonly ended: AttemptEnd;
  /** What it used in processes of its own, where it had some. */
  readonly own?: OwnFigures;
}

const failure = (message: string, code: string, kind: 'transient' | 'permanent'): Executed => ({
  ended: { kind: 'failed', outcome: 'failed', error: { message, kind, code }, leastMs: 0 },
});

/** CPU over the attempt's time, as for attempts inside the worker. */
const inOwnProcess = (
  { cpuMs, memoryMb }: OwnFigures,
  durationMs: number,
): Pick<Measured, 'cpuPercent' | 'memoryMb'> => ({
  cpuPercent: Math.round((cpuMs / Math.max(1, durationMs)) * 1_000) / 10,
  memoryMb,
});

const parsedOptions = new WeakMap<JsonObject, unknown>();

/** The pipeline's options with the job's over them, as the handler's schema has them. */
function optionsOf(
  handler: StepHandler<unknown>,
  own: JsonObject,
  ofJob: JsonObject | undefined,
): { value: unknown } | { fault: string } {
  if (!ofJob && parsedOptions.has(own)) return { value: parsedOptions.get(own) };
  const parsed = handler.definition.options.safeParse({ ...own, ...ofJob });
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || 'options'}: ${issue.message}`);
    return { fault: `the options do not fit the handler ${handler.definition.name}: ${faults.join('; ')}` };
  }
  if (!ofJob) parsedOptions.set(own, parsed.data);
  return { value: parsed.data };
}
