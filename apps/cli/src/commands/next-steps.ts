import type { JobView } from '#shared/contracts/job';
import type { Printer } from '../output/printer';

/** Where a job has failed: what may be done about it. */
export function sayWhatHelps(printer: Printer, { id, status }: Pick<JobView, 'id' | 'status'>): void {
  if (status !== 'failed') return;
  printer.say(
    `What went wrong: sluice ingest attempts ${id}; sluice ingest logs ${id}\n` +
      `To go on from the failed steps, once that is mended: sluice ingest retry ${id}`,
  );
}
