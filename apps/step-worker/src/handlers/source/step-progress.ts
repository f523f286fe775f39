import type { StepContext } from '#shared/contracts/handler';

/** The graph's commit after the last file is part of the work too. */
const PERCENT_BEFORE_COMMIT = 95;

/** Reports files done out of files known, once per percent. */
export class StepProgress {
  private done = 0;
  private reported = 0;

  constructor(
    private readonly context: Pick<StepContext<unknown>, 'progress'>,
    private readonly known: number,
  ) {}

  fileDone(): void {
    this.done += 1;
    const percent = Math.floor(Math.min(this.done / Math.max(this.known, 1), 1) * PERCENT_BEFORE_COMMIT);
    if (percent <= this.reported) return;
    this.reported = percent;
    this.context.progress(percent, `${this.done} of ${Math.max(this.known, this.done)} files`);
  }

  committing(): void {
    this.context.progress(PERCENT_BEFORE_COMMIT, 'storing what has changed');
  }
}
