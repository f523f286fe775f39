import type { LogLevel, StepContext, StepHandler, JobInput } from '#shared/contracts/handler';
import type { Json } from '#shared/domain/json';
import type { StepError } from '#shared/domain/turn/job-draft';
import { classify } from './attempt-failure';
import { checkOutput } from './step-output';

/** Why a worker stops an attempt, besides its time-out. */
export type StopReason = 'drain' | 'stale' | 'cancelled';

/** Why an attempt was told to stop. */
export class AttemptStopped extends Error {
  constructor(readonly reason: 'timeout' | StopReason) {
    super(STOP_MESSAGES[reason]);
    this.name = 'AttemptStopped';
  }
}

const STOP_MESSAGES = {
  timeout: 'the attempt took longer than its time-out',
  drain: 'the worker is shutting down',
  stale: 'another worker owns this step by now',
  cancelled: 'the job was cancelled',
} as const;

export type AttemptEnd =
  | { readonly kind: 'completed'; readonly output: Json }
  | {
      readonly kind: 'failed';
      readonly outcome: 'failed' | 'timeout';
      readonly error: StepError;
      readonly leastMs: number;
    }
  /** It was stopped by the worker, not by its own doing. */
  | { readonly kind: 'stopped'; readonly reason: StopReason };

export interface AttemptRequest {
  readonly handler: StepHandler<unknown>;
  readonly jobId: string;
  readonly step: string;
  readonly attempt: number;
  readonly input: JobInput;
  readonly outputs: Readonly<Record<string, Json>>;
  readonly options: unknown;
  readonly timeoutMs: number | null;
  /** An inline handler cannot be killed: one that ignores its signal for so long has to go with its worker. */
  readonly stuckAfterMs: number;
  readonly progress: (percent: number, message: string | null) => void;
  readonly log: (level: LogLevel, message: string) => void;
  /** Called when the handler goes on for long after it was told to stop. */
  readonly onStuck: () => void;
}

/** One run of a handler. Made for one attempt; its signal exists only when somebody asks for it. */
export class StepExecution implements StepContext<unknown> {
  private controller: AbortController | undefined;
  private stopReason: AttemptStopped | undefined;
  private ended = false;
  private stuckTimer: NodeJS.Timeout | undefined;

  constructor(private readonly request: AttemptRequest) {}

  get jobId(): string {
    return this.request.jobId;
  }

  get step(): string {
    return this.request.step;
  }

  get attempt(): number {
    return this.request.attempt;
  }

  get idempotencyKey(): string {
    return `${this.request.jobId}:${this.request.step}`;
  }

  get input(): JobInput {
    return this.request.input;
  }

  get outputs(): Readonly<Record<string, Json>> {
    return this.request.outputs;
  }

  get options(): unknown {
    return this.request.options;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.stopReason) this.controller.abort(this.stopReason);
    }
    return this.controller.signal;
  }

  progress(percent: number, message?: string): void {
    if (this.ended || !Number.isFinite(percent)) return;
    this.request.progress(Math.min(100, Math.max(0, percent)), message ?? null);
  }

  log(level: LogLevel, message: string): void {
    if (!this.ended) this.request.log(level, message);
  }

  /** Tells the handler to stop. What it does after that counts for nothing. */
  stop(reason: AttemptStopped): void {
    if (this.stopReason || this.ended) return;
    this.stopReason = reason;
    this.stuckTimer = setTimeout(this.request.onStuck, this.request.stuckAfterMs).unref();
    this.controller?.abort(reason);
  }

  /** Runs the handler to its end: a time-out, too, ends only when the handler has. Never rejects. */
  async run(): Promise<AttemptEnd> {
    const { timeoutMs, handler } = this.request;
    const timer =
      timeoutMs === null ? undefined : setTimeout(() => this.stop(new AttemptStopped('timeout')), timeoutMs);
    try {
      const output = await handler.run(this);
      // What was completed in spite of a stop is completed, unless somebody else owns it.
      return this.stopReason?.reason === 'stale' ? { kind: 'stopped', reason: 'stale' } : completed(output);
    } catch (error) {
      return this.failed(error);
    } finally {
      this.ended = true;
      clearTimeout(timer);
      clearTimeout(this.stuckTimer);
    }
  }

  private failed(error: unknown): AttemptEnd {
    const stopped = this.stopReason?.reason;
    if (stopped !== undefined && stopped !== 'timeout') return { kind: 'stopped', reason: stopped };
    if (stopped === 'timeout') {
      const message = `the attempt took longer than its time-out of ${this.request.timeoutMs} ms`;
      return { kind: 'failed', outcome: 'timeout', error: { message, kind: 'timeout', code: 'timeout' }, leastMs: 0 };
    }
    return { kind: 'failed', outcome: 'failed', ...classify(error) };
  }
}

function completed(given: unknown): AttemptEnd {
  const checked = checkOutput(given);
  if ('output' in checked) return { kind: 'completed', output: checked.output };
  const error = { message: checked.fault, kind: 'permanent', code: 'bad_output' } as const;
  return { kind: 'failed', outcome: 'failed', error, leastMs: 0 };
}
