import type { LogLevel, StepContext } from '#shared/contracts/handler';
import { AttemptStopped } from '../turn/step-execution';
import type { FromChild, ToChild } from './messages';

/** What is reported is sent no more often than this; the latest is never lost. */
const SEND_EVERY_MS = 50;
/** The worker keeps the last 1,000 lines of an attempt: what it cannot be sent in time is not missed. */
const MAX_LINES = 1_000;
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
  private lines: FromChild[] = [];

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
    this.sendSoon();
  }

  log(level: LogLevel, message: string): void {
    this.lines.push({ type: 'sluice:log', level, message: String(message).slice(0, MAX_LINE_CHARACTERS) });
    if (this.lines.length > MAX_LINES) this.lines.shift();
    this.sendSoon();
  }

  /** Sends what is left. */
  flush(): void {
    clearTimeout(this.timer);
    this.sendAll();
  }

  private sendSoon(): void {
    if (this.timer) return;
    this.sendAll();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.sendAll();
    }, SEND_EVERY_MS).unref();
  }

  private sendAll(): void {
    for (const line of this.lines) this.send(line);
    this.lines = [];
    if (this.waiting) this.send(this.waiting);
    this.waiting = undefined;
  }
}
