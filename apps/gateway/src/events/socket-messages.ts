import { z } from 'zod';
import type { JobView } from '#shared/contracts/job';
import type { LiveEvent } from '#shared/contracts/live-event';

/** How many jobs one socket may ask for by id. */
export const MAX_JOBS_PER_SOCKET = 1_000;

/** One event as a socket's client gets it. */
export interface EventMessage extends LiveEvent {
  readonly type: 'event';
  readonly job_id: string;
  /** Counts this job's events on this socket, from 1, without holes. */
  readonly seq: number;
  /** The job's after the event. */
  readonly version: number;
}

export const HEARTBEAT = JSON.stringify({ type: 'heartbeat' });

/** The first message about a job, and whenever something may have been missed. */
export const snapshotMessage = (job: JobView): string => JSON.stringify({ type: 'snapshot', job });

/** What could not be done. Without a job it is about the client's message as a whole. */
export const errorMessage = (message: string, jobId?: string): string =>
  JSON.stringify({ type: 'error', job_id: jobId, message });

/** What a client of the socket for many jobs may send. */
export const socketRequest = z
  .strictObject({
    action: z.enum(['subscribe', 'unsubscribe']),
    job_ids: z.array(z.string().max(100)).min(1).max(MAX_JOBS_PER_SOCKET).optional(),
    all: z.literal(true).optional(),
  })
  .refine(
    (request) => (request.job_ids === undefined) !== (request.all === undefined),
    'expected either "job_ids" or "all": true',
  );
export type SocketRequest = z.infer<typeof socketRequest>;

/** The request in a client's message, or what is wrong with the message. */
export function parseSocketRequest(text: string): SocketRequest | { readonly fault: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { fault: 'The message is not JSON.' };
  }
  const parsed = socketRequest.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => [...issue.path, issue.message].join(': '));
  return { fault: `The message is not understood: ${faults.join('; ').slice(0, 500)}` };
}
