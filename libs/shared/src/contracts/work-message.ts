import { z } from 'zod';
import type { Json, JsonObject } from '#shared/domain/json';

/** What came out of `JSON.parse` is JSON already; only its outermost shape is looked at, on the hottest path there is. */
const object = <T extends object>() =>
  z.custom<T>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));

/**
 * A job's turn: what `sluice.work.<queue>.<priority>` carries. It names the job and the step that it opens; the rest
 * is there so that the first attempt needs no read. A worker that is told to `read` trusts only the ids.
 */
export const workMessage = z.object({
  job_id: z.uuid(),
  /** The job's run: 1, raised by a manual retry. */
  run: z.number().int().min(1),
  /** Index of the step that the message opens. */
  head: z.number().int().min(0).max(62),
  /** `dispatched_at` of the opening: microseconds since 1970 by the database's clock. */
  at: z.number().int(),
  /** The step must be claimed in the database before it runs. */
  read: z.boolean(),
  pipeline_hash: z.string(),
  /** The job's input and options and the outputs of the head's needs; absent when too large to send. */
  data: z
    .object({
      source: z.string().nullable(),
      source_type: z.enum(['local_path', 'git_url']).nullable(),
      branch: z.string().nullable(),
      commit: z.string().nullable(),
      input: object<JsonObject>(),
      options: object<Record<string, JsonObject>>(),
      outputs: object<Record<string, Json>>(),
    })
    .optional(),
});
export type WorkMessage = z.infer<typeof workMessage>;
export type WorkData = NonNullable<WorkMessage['data']>;

/** Data above this many bytes of JSON stay in the store. */
export const MAX_INLINE_BYTES = 64 * 1024;

/** The id by which JetStream tells a repeated publish. */
export const workMessageId = (message: Pick<WorkMessage, 'job_id' | 'run' | 'head' | 'at'>): string =>
  `${message.job_id}:${message.run}:${message.head}:${message.at}`;

/** The message as it is sent, its data left out when they are too large. */
export function encodeWorkMessage(message: WorkMessage): string {
  const { data, ...rest } = message;
  if (!data) return JSON.stringify(rest);
  const text = JSON.stringify(message);
  return text.length > MAX_INLINE_BYTES || Buffer.byteLength(text) > MAX_INLINE_BYTES ? JSON.stringify(rest) : text;
}
