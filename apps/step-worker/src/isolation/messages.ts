import { z } from 'zod';
import type { JobInput } from '#shared/contracts/handler';
import type { Json } from '#shared/domain/json';

/** What the worker tells the process that runs a step. Both are of one build, so the types are trusted. */
export type ToChild =
  | {
      readonly type: 'run';
      readonly uses: string;
      readonly jobId: string;
      readonly step: string;
      readonly attempt: number;
      readonly idempotencyKey: string;
      readonly input: JobInput;
      readonly outputs: Readonly<Record<string, Json>>;
      /** As the handler's schema has them. */
      readonly options: unknown;
    }
  | { readonly type: 'stop'; readonly reason: string };

const figures = z.object({ cpuMs: z.number(), memoryMb: z.number() });

/** What that process tells the worker. The handler may send messages too: what is none of these is dropped. */
export const fromChild = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sluice:progress'), percent: z.number(), message: z.string().optional() }),
  z.object({ type: z.literal('sluice:log'), level: z.enum(['debug', 'info', 'warn', 'error']), message: z.string() }),
  z.object({ type: z.literal('sluice:completed'), output: z.custom<Json>(), figures }),
  z.object({
    type: z.literal('sluice:failed'),
    message: z.string(),
    kind: z.enum(['permanent', 'transient']),
    code: z.string().nullable(),
    leastMs: z.number(),
    figures,
  }),
]);
export type FromChild = z.infer<typeof fromChild>;
export type ChildEnd = Extract<FromChild, { type: 'sluice:completed' | 'sluice:failed' }>;
