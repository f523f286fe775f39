import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { ignorePatterns } from '#shared/contracts/handlers/ignore-patterns';

const filesystemOptions = z.strictObject({
  ignore_patterns: ignorePatterns.describe('What to leave out besides what .gitignore files name; same syntax.'),
  max_file_bytes: z
    .int()
    .min(0)
    .default(1_073_741_824)
    .describe('Larger files are recorded by path and size, without a content hash.'),
});

export type FilesystemOptions = z.infer<typeof filesystemOptions>;

export const filesystemDefinition: HandlerDefinition<FilesystemOptions> = {
  name: 'filesystem',
  description: 'Records the repository, its directories and files: path, size, content hash, language.',
  options: filesystemOptions,
  jobOptions: ['ignore_patterns', 'max_file_bytes'],
  repeatable: true,
};
