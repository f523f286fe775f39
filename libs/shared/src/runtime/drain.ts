import type { Logger } from '#shared/runtime/logger';

/**
 * What ends when. `intake`: take nothing new. `work`: finish or hand back what runs. `http`: answer the requests under
 * way, then close the port. `flush`: write what is buffered. `bus`, `store`: close NATS, then Postgres.
 */
export const DRAIN_STAGES = ['intake', 'work', 'http', 'flush', 'bus', 'store'] as const;
export type DrainStage = (typeof DRAIN_STAGES)[number];

/** What a part is given when it is told to end. */
export interface DrainLimits {
  /** Aborted at the end of the grace time: hand back what still runs. */
  readonly graceOver: AbortSignal;
  /** Milliseconds of grace left; 0 when it is over. */
  graceLeftMs(): number;
}

export type EndPart = (limits: DrainLimits) => Promise<void> | void;

interface Part {
  readonly stage: DrainStage;
  readonly name: string;
  readonly end: EndPart;
}

/** Time after the grace for handing back, flushing and closing. */
const CLOSING_LIMIT_MS = 4_000;

export interface DrainOptions {
  readonly log: Logger;
  /** How long running work may go on. */
  readonly graceMs: number;
  readonly closingLimitMs?: number;
  readonly exit?: (code: number) => void;
}

/**
 * The ordered end of a process: parts register under a stage; stages run in order, the parts of one stage together. A
 * part that fails is logged and does not keep the others from ending. Whatever happens, the process is gone when the
 * grace time and the closing limit are over.
 */
export class Drain {
  private readonly parts: Part[] = [];
  private ended: Promise<boolean> | undefined;

  constructor(private readonly options: DrainOptions) {}

  /** Whether the end has begun: from then on the service is not ready. */
  get draining(): boolean {
    return this.ended !== undefined;
  }

  /** Has `end` called when the stage comes. `name` is for the log. */
  register(stage: DrainStage, name: string, end: EndPart): void {
    this.parts.push({ stage, name, end });
  }

  /** Ends every part once, however often it is called. Resolves to whether all of them ended well and in time. */
  run(reason: string): Promise<boolean> {
    this.ended ??= this.endAll(reason);
    return this.ended;
  }

  /** SIGTERM and SIGINT drain and exit with 0; a second one exits at once. What nobody caught is logged and ends it. */
  listen(): void {
    const exit = this.options.exit ?? ((code: number) => process.exit(code));
    const onSignal = (signal: NodeJS.Signals): void => {
      if (this.draining) {
        this.options.log.warn({ signal }, 'told to stop again: exiting at once');
        exit(130);
        return;
      }
      void this.run(signal).then((endedWell) => exit(endedWell ? 0 : 1));
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
    const onSurprise = (message: string) => (error: unknown) => {
      this.options.log.fatal({ err: error instanceof Error ? error : new Error(String(error)) }, message);
      exit(1);
    };
    process.on('uncaughtException', onSurprise('an exception that nothing caught: exiting'));
    process.on('unhandledRejection', onSurprise('a rejection that nothing handled: exiting'));
  }

  private async endAll(reason: string): Promise<boolean> {
    const { log, graceMs, closingLimitMs = CLOSING_LIMIT_MS } = this.options;
    log.info({ reason, grace_ms: graceMs }, 'draining');
    const startedAtMs = performance.now();
    const grace = new AbortController();
    const graceTimer = setTimeout(() => grace.abort(), graceMs);
    const limits: DrainLimits = {
      graceOver: grace.signal,
      // A timer may fire a fraction of a millisecond early: what is over is over.
      graceLeftMs: () => (grace.signal.aborted ? 0 : Math.max(0, graceMs - (performance.now() - startedAtMs))),
    };
    let closingTimer: NodeJS.Timeout | undefined;
    const limitReached = new Promise<false>((resolve) => {
      closingTimer = setTimeout(() => resolve(false), graceMs + closingLimitMs);
    });
    const endedWell = await Promise.race([this.endStages(limits), limitReached]);
    clearTimeout(graceTimer);
    clearTimeout(closingTimer);
    const durationMs = Math.round(performance.now() - startedAtMs);
    if (endedWell) log.info({ duration_ms: durationMs }, 'drained');
    else log.error({ duration_ms: durationMs }, 'not all parts ended well and in time');
    return endedWell;
  }

  private async endStages(limits: DrainLimits): Promise<boolean> {
    let allWell = true;
    for (const stage of DRAIN_STAGES) {
      const parts = this.parts.filter((part) => part.stage === stage);
      const results = await Promise.all(parts.map((part) => this.endPart(part, limits)));
      allWell &&= results.every(Boolean);
    }
    return allWell;
  }

  private async endPart({ stage, name, end }: Part, limits: DrainLimits): Promise<boolean> {
    const startedAtMs = performance.now();
    this.options.log.debug({ stage, part: name }, 'ending');
    try {
      await end(limits);
      this.options.log.info({ stage, part: name, duration_ms: Math.round(performance.now() - startedAtMs) }, 'ended');
      return true;
    } catch (error) {
      this.options.log.error({ stage, part: name, err: error }, 'could not be ended well');
      return false;
    }
  }
}
