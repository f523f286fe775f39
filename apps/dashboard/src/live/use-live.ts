import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { JobView } from '#shared/contracts/job';
import { jobPath } from '../api/queries';
import { useStore } from '../api/store';
import { afterEvent, type SocketMessage } from './live-job';
import { LiveSocket, type SocketState } from './socket';

/** Changes are drawn together, at most so often. */
const DRAW_EVERY_MS = 200;
/** What events do not say (attempts, outputs, exact times) is read again, at most so often. */
const READ_EVERY_MS = 500;

/**
 * One job, live: from its socket, by snapshot and events.
 * @param run another number opens the socket anew: it ends with the job, which may be retried
 * @returns the job as far as the socket has told; null before that
 */
export function useLiveJob(id: string, run = 0): { readonly job: JobView | null; readonly state: SocketState } {
  const client = useQueryClient();
  const [job, setJob] = useState<JobView | null>(null);
  const [socket, setSocket] = useState<LiveSocket | null>(null);
  useEffect(() => {
    setJob(null);
    const readAgain = paced(
      () => void client.invalidateQueries({ queryKey: [jobPath(id, 'attempts')] }),
      READ_EVERY_MS,
    );
    const readJob = paced(() => void client.invalidateQueries({ queryKey: [jobPath(id)] }), READ_EVERY_MS);
    const opened = new LiveSocket(`/v1/ingest/ws/status/${encodeURIComponent(id)}`, (message) => {
      if (message.type === 'snapshot') setJob(message.job);
      else if (message.type === 'event') setJob((known) => known && afterEvent(known, message));
      else return;
      readAgain();
      readJob();
    });
    setSocket(opened);
    return () => opened.close();
  }, [client, id, run]);
  const state = useStore(socket?.state ?? CONNECTING);
  return { job, state };
}

/**
 * The jobs that are in view, live. Only they are asked for: what is not in view costs nothing, however much goes on.
 * @returns the newest that is known of each, by id
 */
export function useLiveJobs(ids: readonly string[]): {
  readonly jobs: ReadonlyMap<string, JobView>;
  readonly state: SocketState;
} {
  const key = ids.join(' ');
  const wanted = useMemo(() => (key === '' ? [] : key.split(' ')), [key]);
  const [jobs, setJobs] = useState<ReadonlyMap<string, JobView>>(new Map());
  const known = useRef(new Map<string, JobView>());
  const [socket, setSocket] = useState<LiveSocket | null>(null);
  useEffect(() => {
    if (wanted.length === 0) return undefined;
    known.current = new Map();
    const draw = paced(() => setJobs(new Map(known.current)), DRAW_EVERY_MS);
    const onMessage = (message: SocketMessage): void => {
      if (message.type === 'snapshot') known.current.set(message.job.id, message.job);
      else if (message.type === 'event') {
        const job = known.current.get(message.job_id);
        if (job) known.current.set(job.id, afterEvent(job, message));
      } else return;
      draw();
    };
    const greeting = (): string => JSON.stringify({ action: 'subscribe', job_ids: wanted });
    const opened = new LiveSocket('/v1/ingest/ws', onMessage, greeting);
    setSocket(opened);
    return () => opened.close();
  }, [wanted]);
  return { jobs, state: useStore(socket?.state ?? CONNECTING) };
}

const CONNECTING = { get: (): SocketState => 'connecting', set: () => undefined, subscribe: () => () => undefined };

/** Runs the work soon, and once for all calls until then. */
function paced(work: () => void, everyMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      work();
    }, everyMs);
  };
}
