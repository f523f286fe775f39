import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';

const noopOptions = z.strictObject({
  duration_ms: z.int().min(0).max(86_400_000).default(0).describe('How long the step takes, in milliseconds.'),
  fail_attempts: z.int().min(0).max(1_000).default(0).describe('How many attempts fail before one succeeds.'),
  fail_with: z
    .enum(['transient', 'permanent'])
    .default('transient')
    .describe('What kind of error those attempts end with.'),
  output: z.record(z.string(), z.json()).default({}).describe('What the step gives as its output.'),
});

export type NoopOptions = z.infer<typeof noopOptions>;

export const noopDefinition: HandlerDefinition<NoopOptions> = {
  name: 'noop',
  description: 'Completes at once, or as its options say; for trying things out.',
  options: noopOptions,
  jobOptions: ['duration_ms', 'fail_attempts', 'fail_with', 'output'],
  repeatable: true,
};
