import type { LogLevel, StepContext } from '#shared/contracts/handler';
import { AttemptStopped } from '../turn/step-execution';
import type { FromChild, ToChild } from './messages';

/** Progress is sent no more often than this; the latest is never lost. */
const SEND_EVERY_MS = 50;
/** The worker keeps 1,000 lines of an attempt and one that says that there were more. */
const MAX_LINES = 1_001;
const MAX_LINE_CHARACTERS = 4_000;

/** What a handler is given in a process of its own: what it reports goes to the worker, in bounded amounts. */
export class ChildContext implements StepContext<unknown> {
  readonly jobId: string;
  readonly step: string;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly input: StepContext['input'];
  readonly outputs: StepContext['outputs'];
  readonly options: unknown;
  private readonly controller = new AbortController();
  private waiting: FromChild | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lineCount = 0;

  constructor(
    request: ToChild & { type: 'run' },
    private readonly send: (message: FromChild) => void,
  ) {
    this.jobId = request.jobId;
    this.step = request.step;
    this.attempt = request.attempt;
    this.idempotencyKey = request.idempotencyKey;
    this.input = request.input;
    this.outputs = request.outputs;
    this.options = request.options;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  stop(reason: string): void {
    this.controller.abort(new AttemptStopped(reason as AttemptStopped['reason']));
  }

  progress(percent: number, message?: string): void {
    this.waiting = { type: 'sluice:progress', percent, message };
    if (this.timer) return;
    this.sendProgress();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.sendProgress();
    }, SEND_EVERY_MS).unref();
  }

  log(level: LogLevel, message: string): void {
    this.lineCount += 1;
    if (this.lineCount > MAX_LINES) return;
    this.send({ type: 'sluice:log', level, message: String(message).slice(0, MAX_LINE_CHARACTERS) });
  }

  /** Sends what is left. */
  flush(): void {
    clearTimeout(this.timer);
    this.sendProgress();
  }

  private sendProgress(): void {
    if (this.waiting) this.send(this.waiting);
    this.waiting = undefined;
  }
}
