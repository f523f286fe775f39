import type { Micros } from '#shared/domain/turn/job-draft';

const MOST_KEPT = 20_000;

/** Which jobs this worker knows to be cancelled: of their runs it begins nothing any more, read or unread. */
export class CancelledJobs {
  /** In the order in which they were heard of last. */
  private readonly entries = new Map<string, { readonly run: number; readonly heardAt: Micros }>();

  /**
   * @param onForget told the latest time at which a job was heard of that is not kept any more: what was published before
   * it must be read
   */
  constructor(
    private readonly onForget: (heardAt: Micros) => void,
    private readonly mostKept = MOST_KEPT,
  ) {}

  /** @param heardAt the database's time, later than the commit of the cancel */
  add(jobId: string, run: number, heardAt: Micros): void {
    this.entries.delete(jobId);
    this.entries.set(jobId, { run, heardAt });
    if (this.entries.size <= this.mostKept) return;
    for (const [oldest, entry] of this.entries) {
      this.entries.delete(oldest);
      this.onForget(entry.heardAt);
      return;
    }
  }

  /** Whether this run of the job, or a later one, was cancelled. */
  has(jobId: string, run: number): boolean {
    const entry = this.entries.get(jobId);
    return entry !== undefined && run <= entry.run;
  }
}
