import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { JobPage, JobView } from '#shared/contracts/job';
import { address, call, type Parameters } from '../../api/client';

const LIST = '/v1/ingest';
export const PAGE = 50;
const LOOK_EVERY_MS = 5_000;
/** What one look counts up to. */
export const MOST_NEWER = 200;

/**
 * One page of the list. Rows must not move under the pointer: once read, it is not read again until somebody says so
 * or asks another question; what happens to its jobs comes live.
 */
export function useJobList(question: Parameters) {
  const where = address(LIST, { ...question, limit: PAGE });
  return useQuery({
    queryKey: [LIST, 'list', where],
    queryFn: ({ signal }) => call<JobPage>(where, { signal }),
    staleTime: ({ state }) => (state.status === 'success' ? 'static' : 0),
    gcTime: 0,
    placeholderData: keepPreviousData,
  });
}

/** How many jobs there are that the list does not show yet; `isMore`: at least so many. */
export interface Newer {
  readonly count: number;
  readonly isMore: boolean;
}

/**
 * Looks now and then for jobs that are newer than the list's first. Only their number is kept, and once there are
 * very many nobody looks any more: however many come in, this costs the same.
 */
export function useNewer(filter: Parameters, shown: readonly JobView[], isOn: boolean): Newer {
  const newest = shown[0];
  const since = newest === undefined ? {} : { created_after: newest.created_at };
  const where = address(LIST, { ...filter, ...since, limit: MOST_NEWER });
  const { data } = useQuery({
    queryKey: [LIST, 'newer', where, newest?.id],
    queryFn: async ({ signal }): Promise<Newer> => {
      const { items, has_more } = await call<JobPage>(where, { signal });
      return { count: items.filter((job) => isNewer(job, newest)).length, isMore: has_more };
    },
    enabled: isOn,
    gcTime: 0,
    refetchInterval: ({ state }) => (state.data?.isMore === true ? false : LOOK_EVERY_MS),
  });
  return data ?? NONE;
}

/** Times are compared to the microsecond and shown to the millisecond, and many jobs may share one: ids rise with it. */
function isNewer({ id, created_at: at }: JobView, newest: JobView | undefined): boolean {
  if (newest === undefined || at !== newest.created_at) return true;
  return id > newest.id;
}

const NONE: Newer = { count: 0, isMore: false };
