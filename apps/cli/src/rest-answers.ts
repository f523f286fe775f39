import { z } from 'zod';
import { attemptView } from '#shared/contracts/job';

export const attemptList = z.object({ items: z.array(attemptView) });
export type AttemptList = z.infer<typeof attemptList>;

export const searchHit = z.object({
  repository_id: z.string(),
  kind: z.string(),
  path: z.string(),
  name: z.string(),
  snippet: z.string(),
  rank: z.number(),
});
export type SearchHit = z.infer<typeof searchHit>;
export const searchPage = z.object({ items: z.array(searchHit) });
export type SearchPage = z.infer<typeof searchPage>;

export const logLine = z.object({
  at: z.string(),
  level: z.enum(['debug', 'info', 'warn', 'error']),
  step: z.string(),
  attempt: z.number().int(),
  message: z.string(),
});
export type LogLine = z.infer<typeof logLine>;
export const logLines = z.object({ items: z.array(logLine) });
export type LogLines = z.infer<typeof logLines>;
