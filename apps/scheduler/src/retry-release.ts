import { failpoint } from '#shared/runtime/failpoints';
import type { Logger } from '#shared/runtime/logger';
import { releaseParked, releaseRetry } from '#shared/domain/turn/mend';
import { stepBit } from '#shared/domain/step-set';
import type { JobDraft } from '#shared/domain/turn/job-draft';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StepName, StuckSteps } from '#shared/store/jobs/stuck-steps';
import type { TurnDispatch } from './turn-dispatch';

const BATCH = 500;
const LONGEST_PAUSE_MS = 1_000;

/** Hands out again what waits for a time or a token: steps in a long back-off, and parked steps whose pool has room. */
export class RetryRelease {
  constructor(
    private readonly stuck: StuckSteps,
    private readonly transactions: JobTransactions,
    private readonly dispatch: TurnDispatch,
    private readonly log: Logger,
  ) {}

  /** @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    const due = await this.stuck.dueRetries(BATCH);
    await this.handOut(due, releaseRetry);
    const parked = await this.stuck.parked(BATCH);
    await this.handOut(parked, releaseParked);
    const steps = due.length + parked.length;
    if (steps > 0) this.log.debug({ retries: due.length, parked: parked.length }, 'handed out again');
    if (due.length === BATCH) return 0;
    return Math.min(LONGEST_PAUSE_MS, Math.max(0, (await this.stuck.nextRetryInMs()) ?? LONGEST_PAUSE_MS));
  }

  private async handOut(steps: StepName[], release: (draft: JobDraft, idx: number) => boolean): Promise<void> {
    await Promise.all(
      steps.map(async ({ jobId, idx }) => {
        const applied = await this.transactions.run({ jobId, apply: (draft) => release(draft, idx) });
        if (!applied?.result) return;
        failpoint('scheduler.retry_released', jobId, idx);
        const { draft, pipeline } = applied;
        const { run, priority } = draft.job;
        const dispatch = { jobId, run, priority, pipeline, steps: stepBit(idx), at: draft.now, read: true };
        this.dispatch.tell(dispatch, draft.job.version + 1, draft.job.status);
        await this.dispatch.send(dispatch);
      }),
    );
  }
}
