import type { StepHandler } from '#shared/contracts/handler';
import type { WorkData } from '#shared/contracts/work-message';
import type { JsonObject } from '#shared/domain/json';
import type { StepDefinition } from '#shared/domain/pipeline';
import { NO_STEPS } from '#shared/domain/step-set';
import type { Measured } from '#shared/domain/turn/end-attempt';
import { failpoint, guardHolds } from '#shared/runtime/failpoints';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { WorkDataReader } from '#shared/store/jobs/work-data-reader';
import type { WorkerLease } from '../lease/worker-lease';
import type { AttemptMeter } from '../reports/attempt-meter';
import type { ProgressRecorder } from '../reports/progress-recorder';
import type { ActiveTurn, CurrentAttempt } from './active-turn';
import { knownOutputs } from './opened-steps';
import { type AttemptEnd, AttemptStopped, StepExecution } from './step-execution';
import type { TurnSettlement } from './turn-settlement';

export interface AttemptRunnerDeps {
  readonly handlers: ReadonlyMap<string, StepHandler<unknown>>;
  readonly pipelines: PipelineStore;
  readonly data: WorkDataReader;
  readonly lease: WorkerLease;
  readonly meter: AttemptMeter;
  readonly recorder: ProgressRecorder;
  readonly settlement: TurnSettlement;
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
    const { startedAt, end } = this.deps.meter.start();
    // Reading takes time: the lease may have been lost since the begin was granted.
    const { grantedBy } = current;
    const isGranted = grantedBy === this.deps.lease.current && grantedBy.isValid();
    if (!isGranted && guardHolds('worker.lease_at_begin')) {
      return { kind: 'stopped', reason: 'stale', measured: end() };
    }
    turn.startedAt = startedAt;
    const ended = await this.execute(turn, step, current, data);
    if (ended.kind === 'completed') turn.outputs.set(step.name, ended.output);
    return { ...ended, measured: end() };
  }

  private async execute(
    turn: ActiveTurn,
    step: StepDefinition,
    current: CurrentAttempt,
    data: WorkData | null,
  ): Promise<AttemptEnd> {
    const handler = this.deps.handlers.get(step.uses);
    if (!handler) return failure(`this worker has no handler called ${step.uses}`, 'unknown_handler', 'transient');
    if (!data) return { kind: 'stopped', reason: 'stale' };
    const options = optionsOf(handler, step.options, data.options[step.name]);
    if ('fault' in options) return failure(options.fault, 'bad_options', 'permanent');
    const { job_id: jobId } = turn.message;
    const { idx, epoch, attempt } = current;
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
      progress: (percent, message) => reports.progress(percent, message),
      log: (level, message) => reports.log(level, message),
      onStuck: () => this.deps.onStuck(step.name, jobId),
    });
    turn.abort = (reason) => execution.stop(new AttemptStopped(reason));
    if (turn.fast && !turn.recorded) this.deps.settlement.began(turn);
    failpoint('worker.begins', jobId, idx, epoch);
    try {
      return await execution.run();
    } finally {
      turn.abort = undefined;
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

const failure = (message: string, code: string, kind: 'transient' | 'permanent'): AttemptEnd => ({
  kind: 'failed',
  outcome: 'failed',
  error: { message, kind, code },
  leastMs: 0,
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
