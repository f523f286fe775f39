import { DEFAULT_CHECK_LIMIT_MS, PartDown, type HealthPart, type PartState } from '#shared/runtime/health/health-part';
import type { Logger } from '#shared/runtime/logger';

/** What a system call's error code means to a reader. Messages are not shown: they name hosts. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['CONNECTION_REFUSED', 'connection refused'],
  ['ECONNRESET', 'connection lost'],
  ['CONNECTION_CLOSED', 'connection closed'],
  ['EPIPE', 'connection lost'],
  ['ENOTFOUND', 'name not found'],
  ['EAI_AGAIN', 'name not found'],
  ['ETIMEDOUT', 'no answer in time'],
  ['TIMEOUT', 'no answer in time'],
  ['28P01', 'password refused'],
  ['3D000', 'no such database'],
  ['53300', 'too many connections'],
  ['57P01', 'shutting down'],
  ['57P03', 'starting up'],
]);

/** A check on a connection that died without a word may never end; by then another one may begin. */
const HANGING_AFTER_MS = 10_000;

/**
 * One part's check, with a time limit that holds even where the check heeds no signal. A check that is still under way
 * is shared by all who ask, so that probes do not pile up on a part that hangs. Changes are logged, once each.
 */
export class PartProbe {
  private running: { readonly check: Promise<void>; readonly startedAtMs: number } | undefined;
  private last: PartState['state'] | undefined;

  constructor(
    readonly part: HealthPart,
    private readonly log: Logger,
  ) {}

  async state(): Promise<PartState> {
    const { required } = this.part;
    try {
      await this.checkInTime();
      this.noteChange('up');
      return { state: 'up', required };
    } catch (error) {
      const reason = reasonOf(error);
      this.noteChange('down', reason, error);
      return { state: 'down', required, reason };
    }
  }

  private async checkInTime(): Promise<void> {
    const limitMs = this.part.limitMs ?? DEFAULT_CHECK_LIMIT_MS;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new PartDown(`no answer within ${limitMs} ms`)), limitMs);
    });
    try {
      await Promise.race([this.shared(limitMs), over]);
    } finally {
      clearTimeout(timer);
    }
  }

  private shared(limitMs: number): Promise<void> {
    const nowMs = performance.now();
    if (this.running !== undefined && nowMs - this.running.startedAtMs < HANGING_AFTER_MS) return this.running.check;
    const check = this.started(AbortSignal.timeout(limitMs)).finally(() => {
      if (this.running?.check === check) this.running = undefined;
    });
    this.running = { check, startedAtMs: nowMs };
    return check;
  }

  /** A check that throws before its first await rejects like any other. */
  private async started(signal: AbortSignal): Promise<void> {
    await this.part.check(signal);
  }

  private noteChange(state: PartState['state'], reason?: string, error?: unknown): void {
    if (this.last === state) return;
    const before = this.last;
    this.last = state;
    const detail = error instanceof Error && error.message !== reason ? error.message : undefined;
    if (state === 'down') this.log.warn({ part: this.part.name, reason, detail }, 'a part is down');
    else if (before === 'down') this.log.info({ part: this.part.name }, 'a part is up again');
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof PartDown) return error.message;
  if (typeof error !== 'object' || error === null) return 'the check failed';
  if ('name' in error && (error.name === 'TimeoutError' || error.name === 'AbortError')) return 'no answer in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return REASONS.get(code) ?? 'the check failed';
}
