import type { JsonObject } from '#shared/domain/json';
import { finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import { claimStep } from '#shared/domain/turn/claim';
import { type AttemptResult, endAttempt, type RetryDecision } from '#shared/domain/turn/end-attempt';
import type { StepError } from '#shared/domain/turn/job-draft';
import { type Database, openDatabase } from '#shared/store/database';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { MEASURED } from '../support/drafts';

export const NO_LUCK: StepError = { message: 'no luck', kind: 'permanent', code: 'E_LUCK' };

/**
 * Does what a worker would write, by the rules that a worker goes by, and nothing else: no message is read or sent. For
 * specs of what the others see.
 */
export class PretendWorker {
  private constructor(
    private readonly database: Database,
    private readonly transactions: JobTransactions,
  ) {}

  static async start(url: string): Promise<PretendWorker> {
    const database = await openDatabase({ url, applicationName: 'pretend-worker', poolSize: 3 });
    return new PretendWorker(database, new JobTransactions(database, new PipelineStore(database)));
  }

  /** Begins a step that is handed out, and leaves it running. */
  async begin(jobId: string, idx = 0): Promise<void> {
    await this.run(jobId, idx, null);
  }

  complete(jobId: string, idx = 0, output: JsonObject = {}): Promise<void> {
    return this.run(jobId, idx, { kind: 'completed', output });
  }

  /** Fails a step for good. */
  fail(jobId: string, idx = 0, error: StepError = NO_LUCK): Promise<void> {
    return this.run(jobId, idx, failed(error, { kind: 'final' }));
  }

  /** Fails an attempt; the step is in back-off then. */
  failOnce(
    jobId: string,
    idx = 0,
    delayMs = 60_000,
    error: StepError = { ...NO_LUCK, kind: 'transient' },
  ): Promise<void> {
    return this.run(jobId, idx, failed(error, { kind: 'retry', delayMs, viaScheduler: true }));
  }

  /** Lets a job go on, as the gateway does. */
  async retry(jobId: string): Promise<void> {
    await this.transactions.run({ jobId, apply: (draft, { pools }) => retryJob(draft, null, pools) });
  }

  /** Ends a cancel that every worker has acknowledged. */
  async endCancel(jobId: string): Promise<boolean | undefined> {
    const applied = await this.transactions.run({
      jobId,
      apply: (draft, { leases, pools }) => finishCancel(draft, leases, pools),
    });
    return applied?.result;
  }

  async stop(): Promise<void> {
    await this.transactions.close();
    await this.database.destroy();
  }

  private async run(jobId: string, idx: number, result: AttemptResult | null): Promise<void> {
    const applied = await this.transactions.run({
      jobId,
      apply: (draft, { leases, pools }) => {
        const { run } = draft.job;
        const row = draft.rows.get(idx);
        const ownsIt = row?.status === 'running';
        const worker = 'pretended';
        const claimed = ownsIt
          ? { kind: 'taken' as const, epoch: row.epoch }
          : claimStep(draft, {
              ...{ run, head: idx, worker, leases, pools, isOwn: () => false, knows: () => false },
              mayTakeSuspect: () => true,
            });
        if (claimed.kind !== 'taken') return claimed.kind;
        if (result === null) return 'settled';
        const key = { run, head: idx, idx, epoch: claimed.epoch, fast: false, worker };
        return endAttempt(draft, key, result, MEASURED, pools, () => false).kind;
      },
    });
    if (applied?.result !== 'settled') throw new Error(`step ${idx} of ${jobId}: ${applied?.result ?? 'no such job'}`);
  }
}

const failed = (error: StepError, decision: RetryDecision): AttemptResult => ({
  kind: 'failed',
  outcome: 'failed',
  error,
  retry: () => decision,
});
