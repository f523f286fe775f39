import type { JobView } from '#shared/contracts/job';
import { oneLine } from '../output/words';
import type { Printer } from '../output/printer';

/** Where a job has failed: what may be done about it. */
export function sayWhatHelps(
  printer: Printer,
  job: Pick<JobView, 'id' | 'status' | 'last_error' | 'depends_on'>,
): void {
  if (job.status !== 'failed') return;
  const { id } = job;
  const lost = lostJob(job);
  printer.say(
    lost === null
      ? `What went wrong: sluice ingest attempts ${id}; sluice ingest logs ${id}\n` +
          `To go on from the failed steps, once that is mended: sluice ingest retry ${id}`
      : `It has not begun, since it needs job ${lost}. What became of that: sluice ingest status ${lost}\n` +
          `To let both go on, once that is mended: sluice ingest retry ${lost}`,
  );
}

/** The job without which this one could not begin; null: it failed by itself. */
function lostJob({ last_error, depends_on }: Pick<JobView, 'last_error' | 'depends_on'>): string | null {
  if (last_error === null || !/^dependency_/.test(last_error.code ?? '')) return null;
  const id = depends_on.find((each) => last_error.message.includes(each));
  return id === undefined ? null : oneLine(id);
}
