import { stepsIn } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { failpoint } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import type { DueJobs, DueLook, ReleasedJob } from '#shared/store/jobs/due-jobs';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import type { Lateness } from './lateness';
import type { TurnDispatch } from './turn-dispatch';

const BATCH = 500;
/** So that a round ends, whatever is due. */
const BATCHES_A_ROUND = 20;
/** Messages on their way to the stream at once. */
const MOST_PUBLISHING = 1_000;
/** A wake-up lost costs at most this. */
const LONGEST_PAUSE_MS = 1_000;
/** Loops spread their pauses. */
const LATEST_OF_PAUSE = 1.1;
/** After a look that found due jobs locked by somebody else; twice as long after each further one. */
const BLOCKED_PAUSE_MS = 10;
/** A look at everything may take its time while old transactions keep Postgres from tidying up: so much of it at most. */
const SHARE_OF_LOOKS_THROUGH = 0.05;

export interface DelayedJobReleaseDeps {
  readonly due: DueJobs;
  /** The same, by a connection of its own that passes over nothing. */
  readonly all: DueJobs;
  readonly pipelines: PipelineStore;
  readonly dispatch: TurnDispatch;
  readonly lateness: Lateness;
  readonly log: Logger;
}

/**
 * Releases held jobs at their time, by the database's clock. One that needs other jobs waits for them from then on. While
 * NATS is out of reach they stay held: released, they would wait for the sweep when it is back.
 */
export class DelayedJobRelease {
  private blockedLooks = 0;
  private publishing = 0;
  private readonly waitForRoom: (() => void)[] = [];
  private heldUntilMs = -Infinity;
  /** The last look, and when it was asked for. */
  private looked: { readonly now: Micros; readonly askedAtMs: number } | undefined;
  /** The database's time by which the next look will have been made; unknown while one is under way. */
  private nextLookAt: Micros | undefined;

  constructor(private readonly deps: DelayedJobReleaseDeps) {}

  /** Releases what is due, up to a bound. @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    const { due, lateness } = this.deps;
    this.nextLookAt = undefined;
    const pauseMs = await this.releaseFrom(due);
    lateness.report();
    if (this.looked) this.nextLookAt = this.databaseTime(this.looked) + (pauseMs * LATEST_OF_PAUSE + 2) * 1_000;
    return pauseMs;
  }

  /**
   * Releases jobs that `runOnce` passes over: such as were committed long after they were due.
   * @returns in how many milliseconds to look again
   */
  async runThrough(): Promise<number> {
    const startedAtMs = performance.now();
    if (this.isHeld()) return LONGEST_PAUSE_MS;
    const look = await this.look(this.deps.all);
    const tookMs = performance.now() - startedAtMs;
    await this.publish(look);
    return look.isFull ? 0 : Math.max(LONGEST_PAUSE_MS, tookMs / SHARE_OF_LOOKS_THROUGH);
  }

  /** Whether a job that is due then comes before the next look: only then is there something to wake up for. */
  isBeforeNextLook(dueAt: Micros): boolean {
    if (!this.looked) return true;
    return dueAt < (this.nextLookAt ?? this.databaseTime(this.looked) + 2_000 * LONGEST_PAUSE_MS);
  }

  private async releaseFrom(due: DueJobs): Promise<number> {
    if (this.isHeld()) return LONGEST_PAUSE_MS;
    let look = await this.look(due);
    for (let batch = 1; look.isFull && batch < BATCHES_A_ROUND && !this.isHeld(); batch += 1) {
      // Postgres works on the next batch while the turns of this one are published.
      const next = this.look(due);
      next.catch(() => undefined);
      await this.publish(look);
      look = await next;
    }
    await this.publish(look);
    return this.pauseAfter(look);
  }

  private async look(due: DueJobs): Promise<Look> {
    const { lateness, log } = this.deps;
    const askedAtMs = performance.now();
    try {
      const look = await due.release(BATCH);
      this.looked = { now: look.now, askedAtMs };
      lateness.able(look.now);
      if (look.jobs.length > 0) {
        failpoint('scheduler.released');
        log.debug({ jobs: look.jobs.length }, 'the time of jobs has come');
      }
      return { ...look, askedAtMs };
    } catch (error) {
      lateness.unable();
      throw error;
    }
  }

  /** Resolves when all are on their way: it waits while very many are. */
  private async publish({ jobs, askedAtMs }: Look): Promise<void> {
    const { pipelines, dispatch } = this.deps;
    for (const job of jobs) {
      const pipeline = pipelines.peek(job.pipelineHash) ?? (await pipelines.get(job.pipelineHash));
      while (this.publishing >= MOST_PUBLISHING) await new Promise<void>((room) => this.waitForRoom.push(room));
      const { id: jobId, run, status, priority, opened: steps, releasedAt: at, data, version } = job;
      // In a later run nothing may begin unread: nobody has to know what the runs before it left.
      const turns = { jobId, run, priority, pipeline, steps, at, read: run > 1, askedAtMs, data };
      if (status === 'pending') void this.send(job, askedAtMs, () => dispatch.send(turns));
      dispatch.tell(turns, version, status, status === 'waiting' ? 'job.waiting' : 'job.pending');
    }
  }

  private async send({ opened, dueAt, releasedAt }: ReleasedJob, askedAtMs: number, send: Send): Promise<void> {
    const turns = stepsIn(opened).length;
    this.publishing += turns;
    const stored = await send();
    this.publishing -= turns;
    if (stored === turns) this.deps.lateness.observe({ dueAt, releasedAt, askedAtMs });
    // The sweep sends those. What is still held would only join them.
    if (stored === 0) this.heldUntilMs = performance.now() + LONGEST_PAUSE_MS;
    if (this.publishing < MOST_PUBLISHING) this.waitForRoom.splice(0).forEach((room) => room());
  }

  private isHeld(): boolean {
    const isHeld = !this.deps.dispatch.isConnected || performance.now() < this.heldUntilMs;
    if (isHeld) this.deps.lateness.unable();
    return isHeld;
  }

  private pauseAfter({ now, next, isFull, isBlocked, askedAtMs }: Look): number {
    if (isFull) return 0;
    this.blockedLooks = isBlocked ? this.blockedLooks + 1 : 0;
    const blockedMs = isBlocked ? BLOCKED_PAUSE_MS * 2 ** Math.min(this.blockedLooks - 1, 10) : Infinity;
    // The question takes as long to get there next time: what lies between asking and the statement is no loss.
    const untilNextMs = next === null ? Infinity : (next - now) / 1_000 - (performance.now() - askedAtMs);
    return Math.max(0, Math.min(LONGEST_PAUSE_MS, untilNextMs, blockedMs));
  }

  private databaseTime({ now, askedAtMs }: { readonly now: Micros; readonly askedAtMs: number }): Micros {
    return now + (performance.now() - askedAtMs) * 1_000;
  }
}

type Look = DueLook & { readonly askedAtMs: number };
type Send = () => Promise<number>;
