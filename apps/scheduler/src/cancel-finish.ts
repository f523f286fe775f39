import { publishEvents } from '#shared/bus/live-events';
import type { NatsBus } from '#shared/bus/nats-bus';
import { notify } from '#shared/bus/signals';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { CANCEL_BROADCAST } from '#shared/contracts/subjects';
import { isLimited } from '#shared/domain/pipeline';
import { stepsIn, type StepSet } from '#shared/domain/step-set';
import { finishCancel } from '#shared/domain/turn/cancel';
import { isoOf, type JobDraft } from '#shared/domain/turn/job-draft';
import type { Logger } from '#shared/runtime/logger';
import type { Cancels } from '#shared/store/jobs/cancels';
import type { JobTransactions } from '#shared/store/jobs/job-transactions';

const BATCH = 500;
const PAUSE_MS = 1_000;

export interface CancelFinishDeps {
  readonly bus: NatsBus;
  readonly cancels: Pick<Cancels, 'mark' | 'acknowledged'>;
  readonly transactions: JobTransactions;
  /** Tokens came back: parked steps may have them. */
  readonly onTokensFree: () => void;
  readonly log: Logger;
}

/**
 * Ends cancelling jobs once every worker that is alive has said that it runs nothing of them. A cancel that nobody has
 * marked, because the gateway died after its commit, is marked here.
 */
export class CancelFinish {
  constructor(private readonly deps: CancelFinishDeps) {}

  /** @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    const { bus, cancels, log } = this.deps;
    if ((await cancels.mark()) > 0) notify(bus, CANCEL_BROADCAST);
    const ids = await cancels.acknowledged(BATCH);
    await Promise.all(ids.map((id) => this.finish(id)));
    if (ids.length > 0) log.debug({ jobs: ids.length }, 'cancelled');
    return ids.length === BATCH ? 0 : PAUSE_MS;
  }

  private async finish(jobId: string): Promise<void> {
    const applied = await this.deps.transactions.run({
      jobId,
      apply: (draft, { leases, pools }) => {
        const { dead } = draft.job;
        return finishCancel(draft, leases, pools) ? draft.job.dead & ~dead : null;
      },
    });
    if (!applied || applied.result === null) return;
    const { draft, result: cancelled } = applied;
    this.tell(draft, cancelled);
    if (draft.pipeline.steps.some(isLimited)) this.deps.onTokensFree();
  }

  private tell(draft: JobDraft, cancelled: StepSet): void {
    const at = isoOf(draft.now);
    const steps = stepsIn(cancelled).map((idx): LiveEvent => {
      const last_error = draft.rows.get(idx)?.lastError ?? undefined;
      return { event: 'step.cancelled', at, step: draft.step(idx).name, status: 'cancelled', last_error };
    });
    const events: LiveEvent[] = [...steps, { event: 'job.cancelled', at, job_status: 'cancelled' }];
    const batch: LiveEventBatch = { job_id: draft.job.id, version: draft.job.version + 1, events };
    publishEvents(this.deps.bus, draft.job.id, JSON.stringify(batch));
  }
}
