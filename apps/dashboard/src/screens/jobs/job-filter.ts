import type { JobView } from '#shared/contracts/job';
import { isEnded, JOB_STATUSES, type JobStatus } from '#shared/domain/status';
import type { Parameters } from '../../api/client';

/** What the list can be asked for by status: `retrying` is a job with a step in back-off, whatever its status. */
export const LIST_STATUSES = [...JOB_STATUSES, 'retrying'] as const satisfies readonly (JobStatus | 'retrying')[];

export const FILTER_NAMES = [
  'status',
  'pipeline',
  'tag',
  'schedule_id',
  'q',
  'created_after',
  'created_before',
] as const;
type FilterName = (typeof FILTER_NAMES)[number];

/** The filter in the page's address; bad values too, since the server says best what is wrong with them. */
export function filterOf(address: URLSearchParams): Parameters {
  const given = FILTER_NAMES.map((name) => [name, wanted(address, name)] as const);
  return Object.fromEntries(given.filter(([, values]) => values.length > 0));
}

/** The same with the order and the page. */
export function questionOf(address: URLSearchParams): Parameters {
  return { ...filterOf(address), sort: wanted(address, 'sort'), cursor: wanted(address, 'cursor') };
}

const wanted = (address: URLSearchParams, name: FilterName | 'sort' | 'cursor'): string[] =>
  address.getAll(name).filter((value) => value !== '');

export const isFiltered = (filter: Parameters): boolean => Object.keys(filter).length > 0;

/** What sets every part of the filter, the order and the page back. */
export const CLEARED: Readonly<Record<string, string>> = Object.fromEntries(
  [...FILTER_NAMES, 'sort', 'cursor'].map((name) => [name, '']),
);

export const isRetrying = (job: JobView): boolean =>
  !isEnded(job.status) && job.steps.some(({ status }) => status === 'retrying');

/** Whether the job, as it is now, would be in a list of these statuses; none: of all. */
export function hasStatusOf(job: JobView, statuses: readonly string[]): boolean {
  if (statuses.length === 0 || statuses.includes(job.status)) return true;
  return statuses.includes('retrying') && isRetrying(job);
}

/** What is known last of a job that was read, and may have been told of since. */
export const newestOf = (read: JobView, live: JobView | undefined): JobView =>
  live !== undefined && live.version >= read.version ? live : read;

/** Since the job began until it ended; events tell the ends, not how long it was. */
export function tookMs({ started_at, completed_at, duration_ms }: JobView): number | null {
  if (started_at === null || completed_at === null) return duration_ms;
  return Math.max(0, Date.parse(completed_at) - Date.parse(started_at));
}

/** What tells one job from the next: the first digits of an id are the time, which many share. */
export const shortId = (id: string): string => `…${id.slice(-8)}`;

const TRAIL_LENGTH = 50;

/** Where "back" leads, page by page, as the browser's history keeps it; [] for what is none. */
export function trailOf(state: unknown): readonly string[] {
  const trail = typeof state === 'object' && state !== null && 'trail' in state ? state.trail : null;
  return Array.isArray(trail) && trail.every((each) => typeof each === 'string') ? trail : [];
}

/** The trail with one more page at its end. Its beginning is let go when it grows long. */
export const longerTrail = (trail: readonly string[], cursor: string): readonly string[] =>
  [...trail, cursor].slice(-TRAIL_LENGTH);
