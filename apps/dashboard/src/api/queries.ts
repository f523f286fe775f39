import {
  keepPreviousData,
  QueryClient,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import type { DeadLetterGroups } from '#shared/contracts/dead-letter';
import type { PipelineList } from '#shared/contracts/fleet';
import type { AttemptView, JobView } from '#shared/contracts/job';
import type { ResourceHistory } from '#shared/contracts/resource-history';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import type { SchedulePage } from '#shared/contracts/schedule';
import { address, call, CallError, type Parameters } from './client';

const SECOND = 1_000;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      retry: (failures, error) => failures < 1 && error instanceof CallError && error.status >= 500,
      refetchOnWindowFocus: true,
    },
    mutations: { networkMode: 'always' },
  },
});

/** Reads an address again and again. `everyMs` 0: once, and when something here changes it. */
export function useRead<T>(path: string, parameters: Parameters = {}, everyMs = 5 * SECOND, enabled = true) {
  const where = address(path, parameters);
  return useQuery({
    queryKey: [path, where],
    queryFn: ({ signal }) => call<T>(where, { signal }),
    refetchInterval: everyMs === 0 ? false : everyMs,
    placeholderData: keepPreviousData,
    enabled,
  });
}

/** Reads a list page by page. */
export function usePages<T extends { readonly next_cursor: string | null }>(
  path: string,
  parameters: Parameters,
  everyMs = 0,
) {
  return useInfiniteQuery({
    queryKey: [path, 'pages', address(path, parameters)],
    queryFn: ({ pageParam, signal }) =>
      call<T>(address(path, { ...parameters, cursor: pageParam ?? undefined }), { signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next_cursor,
    refetchInterval: everyMs === 0 ? false : everyMs,
    placeholderData: keepPreviousData,
  });
}

export const jobPath = (id: string, action = ''): string =>
  `/v1/ingest/${encodeURIComponent(id)}${action === '' ? '' : `/${action}`}`;

/** What the fleet does now and did in the last hour. */
export const useResourceStatus = () => useRead<ResourceStatus>('/v1/ingest/resource_status', {}, 2 * SECOND);
/** The last hour, minute by minute. */
export const useResourceHistory = () => useRead<ResourceHistory>('/v1/ingest/resource_history', {}, 10 * SECOND);
export const useJob = (id: string) => useRead<JobView>(jobPath(id), {}, 15 * SECOND);
export const useAttempts = (id: string) => useRead<{ items: AttemptView[] }>(jobPath(id, 'attempts'), {}, 15 * SECOND);
export const useSchedules = () => usePages<SchedulePage>('/v1/schedules', {}, 5 * SECOND);
export const useDeadLetterGroups = () =>
  useRead<DeadLetterGroups>('/v1/dead_letters', { group_by: 'fingerprint', limit: 200 });
export const usePipelines = () => useRead<PipelineList>('/v1/pipelines', {}, 60 * SECOND);

interface Change {
  readonly path: string;
  readonly method?: 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  /** How long to wait for the answer, where the gateway may take longer than for others. */
  readonly limitMs?: number;
}

/** Changes something; whatever is shown is then read again. */
export function useChange<T>() {
  const client = useQueryClient();
  return useMutation<T, Error, Change>({
    mutationFn: ({ path, method = 'POST', body, limitMs }) => call<T>(path, { method, body, limitMs }),
    onSettled: () => client.invalidateQueries(),
  });
}
