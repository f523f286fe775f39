import type { JobView } from '#shared/contracts/job';
import { counted, localTime, longDuration } from '#shared/domain/words';
import { oneLine } from './words';

/** What is known of a job that is held. */
export type HeldJob = Pick<JobView, 'status' | 'eta' | 'depends_on' | 'on_dependency_failure'>;

/** So many ids are named; `-o json` has all of them. */
const NAMED = 10;

/** `in 3 min 20 s, at 2030-01-31 18:30:05` in local time; when it has come: `now: it was due at …`. */
export function startOf(eta: string, now: number): string {
  const ms = Date.parse(eta) - now;
  return ms <= 0 ? `now: it was due at ${localTime(eta)}` : `in ${longDuration(ms)}, at ${localTime(eta)}`;
}

/** `2 jobs: ID, ID` */
export function namesOf(ids: readonly string[]): string {
  const more = ids.length > NAMED ? ` and ${ids.length - NAMED} more` : '';
  return `${counted(ids.length, 'job')}: ${ids.slice(0, NAMED).map(oneLine).join(', ')}${more}`;
}

/** When a held job starts, e.g. `starts in 5 s, at …` or `starts after 2 jobs: …`; null: it is not held. */
export function startWords(job: HeldJob, now: number): string | null {
  const after = job.depends_on.length === 0 ? null : afterWords(job);
  if (job.status === 'scheduled' && job.eta !== null) {
    return `starts ${startOf(job.eta, now)}${after === null ? '' : `, and not before ${after}`}`;
  }
  return job.status === 'waiting' && after !== null ? `starts after ${after}` : null;
}

/** What has to become of the jobs that it needs. */
const afterWords = ({ depends_on: ids, on_dependency_failure: onFailure }: HeldJob): string =>
  `the ${onFailure === 'run' ? 'end' : 'completion'} of ${namesOf(ids)}`;

/** The same as a sentence. */
export function startSentence(job: HeldJob, now: number): string | null {
  const words = startWords(job, now);
  return words === null ? null : `It ${words}.`;
}
