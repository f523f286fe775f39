import type { WorkData } from '#shared/contracts/work-message';
import { NO_STEPS, stepsIn } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { failpoint } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import { isPassingDatabaseError } from '#shared/store/database-error';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import type { ClaimedSchedule, MadeJob, ScheduleTicks, TickResult } from '#shared/store/schedules/schedule-ticks';
import type { DueRuns, RunMaker } from './due-runs';
import type { Lateness } from './lateness';
import type { Dispatch, TurnDispatch } from './turn-dispatch';

const BATCH = 100;
/** Of the jobs that one round makes: catching up on a schedule with a large job may make a hundred of them. */
const MOST_BYTES = 16 * 1024 * 1024;
/** A wake-up lost costs at most this. */
const LONGEST_PAUSE_MS = 1_000;
/** What is due and not to be had is another scheduler's, or became due just now. */
const OVERDUE_PAUSE_MS = 10;
/** One whose runs the database refuses is tried again after so long. */
const PUT_OFF_MS = 60_000;

export interface CronTickerDeps {
  readonly ticks: Pick<ScheduleTicks, 'run' | 'nextInMs' | 'putOff'>;
  readonly runs: Pick<RunMaker, 'runsOf'>;
  readonly pipelines: Pick<PipelineStore, 'peek' | 'get'>;
  readonly dispatch: Pick<TurnDispatch, 'send' | 'tell' | 'isConnected'>;
  readonly lateness: Pick<Lateness, 'observe'>;
  readonly log: Logger;
}

/**
 * Makes the jobs of recurring schedules at their times, by the database's clock. While NATS is out of reach none is made:
 * it would wait for the sweep when that is back.
 */
export class CronTicker {
  /** Rounds that take one schedule each, after one among many could not be written. */
  private singly = 0;

  constructor(private readonly deps: CronTickerDeps) {}

  /** One batch of what is due. @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    if (!this.deps.dispatch.isConnected) return LONGEST_PAUSE_MS;
    const askedAtMs = performance.now();
    const limit = this.singly > 0 ? 1 : BATCH;
    const { claimed, made } = await this.tick(limit);
    if (made.length > 0) failpoint('scheduler.runs_committed');
    for (const job of made) await this.announce(job, askedAtMs);
    if (claimed > 0) this.deps.log.debug({ schedules: claimed, jobs: made.length }, 'schedules were due');
    if (claimed === limit) return 0;
    const nextMs = (await this.deps.ticks.nextInMs()) ?? LONGEST_PAUSE_MS;
    return nextMs > 0 ? Math.min(LONGEST_PAUSE_MS, nextMs) : OVERDUE_PAUSE_MS;
  }

  private async tick(limit: number): Promise<TickResult> {
    const { ticks } = this.deps;
    let claimed: ClaimedSchedule[] = [];
    let decided: DueRuns[] = [];
    try {
      const result = await ticks.run(limit, async (schedules) => {
        claimed = schedules;
        decided = [];
        let bytes = 0;
        for (const schedule of schedules) {
          if (bytes >= MOST_BYTES) break; // its turn comes with the next round
          const due = await this.deps.runs.runsOf(schedule);
          decided.push(due);
          bytes += due.step.runs.length * schedule.jobBytes;
        }
        return decided.map(({ step }) => step);
      });
      this.singly = Math.max(0, this.singly - 1);
      this.tell(decided);
      return result;
    } catch (error) {
      if (isPassingDatabaseError(error)) throw error;
      return this.onRefused(claimed, error);
    }
  }

  /** Nothing of the batch is written: one of it is at fault, and keeps the others from theirs for one round. */
  private async onRefused(claimed: readonly ClaimedSchedule[], error: unknown): Promise<TickResult> {
    const [first] = claimed;
    if (!first) throw error;
    if (claimed.length > 1) {
      this.singly = claimed.length;
      return { claimed: 1, made: [] };
    }
    this.deps.log.error({ err: error, schedule: first.id }, 'the runs of a schedule cannot be stored');
    const told = { message: 'its run could not be stored; the log of the scheduler says why', dueMs: first.nextMs };
    await this.deps.ticks.putOff(first.id, told, first.nowMs + PUT_OFF_MS);
    return { claimed: 1, made: [] };
  }

  private tell(decided: readonly DueRuns[]): void {
    const { log } = this.deps;
    for (const { step, missed, andMore } of decided) {
      const { id: schedule, error } = step;
      if (error) log.warn({ schedule, due_at: new Date(error.dueMs).toISOString() }, `no run: ${error.message}`);
      if (missed > 0) log.warn({ schedule, missed, and_more: andMore }, 'due times were missed, and are left out');
    }
  }

  private async announce({ job, outcome }: MadeJob, askedAtMs: number): Promise<void> {
    const { pipelines, dispatch } = this.deps;
    const pipeline = pipelines.peek(job.pipelineHash) ?? (await pipelines.get(job.pipelineHash));
    const { source, sourceType: source_type, branch, commit, input, options } = job;
    const data: WorkData = { source, source_type, branch, commit, input, options: { ...options }, outputs: {} };
    const { status, dispatchedAt, createdAt } = outcome;
    const at = dispatchedAt ?? createdAt.getTime() * 1_000;
    const steps = dispatchedAt === null ? NO_STEPS : job.roots;
    const turn = { jobId: job.id, run: 1, priority: job.priority, pipeline, steps, at, read: false, askedAtMs, data };
    void this.send(turn, (job.etaSeconds ?? 0) * 1_000_000, askedAtMs);
    dispatch.tell(turn, 1, status, status === 'waiting' ? 'job.waiting' : 'job.pending');
  }

  private async send(turn: Dispatch, dueAt: Micros, askedAtMs: number): Promise<void> {
    const turns = stepsIn(turn.steps).length;
    const stored = await this.deps.dispatch.send(turn);
    // Neither one that waits for the run before it nor one that the sweep will send has been handed out.
    if (turns > 0 && stored === turns) this.deps.lateness.observe({ dueAt, releasedAt: turn.at, askedAtMs });
  }
}
