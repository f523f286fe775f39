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

export const workerView = z.object({
  id: z.string(),
  status: z.enum(['alive', 'gone']),
  last_seen: z.string(),
  running: z.number(),
  capacity: z.number(),
  cpu_percent: z.number().nullable(),
  memory_mb: z.number().nullable(),
});
export type WorkerView = z.infer<typeof workerView>;
export const workerList = z.object({ items: z.array(workerView) });
export type WorkerList = z.infer<typeof workerList>;

export const pipelineView = z.object({
  name: z.string(),
  description: z.string(),
  source: z.enum(['required', 'optional']),
  steps: z.array(
    z.object({
      name: z.string(),
      uses: z.string(),
      needs: z.array(z.string()),
      queue: z.string(),
      max_retries: z.number(),
    }),
  ),
});
export type PipelineView = z.infer<typeof pipelineView>;
export const pipelineList = z.object({ items: z.array(pipelineView) });
export type PipelineList = z.infer<typeof pipelineList>;
