import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { ignorePatterns } from '#shared/contracts/handlers/ignore-patterns';

const documentationOptions = z.strictObject({
  ignore_patterns: ignorePatterns.describe('Documents to leave out, as in a .gitignore.'),
  max_document_bytes: z
    .int()
    .min(1_024)
    .max(2_097_152)
    .default(1_048_576)
    .describe('Of a larger document only this much is read; it is marked as truncated.'),
});

export type DocumentationOptions = z.infer<typeof documentationOptions>;

export const documentationDefinition: HandlerDefinition<DocumentationOptions> = {
  name: 'documentation',
  description: 'Records headings, links and text of the documents that a filesystem step has found.',
  options: documentationOptions,
  jobOptions: ['ignore_patterns', 'max_document_bytes'],
  repeatable: true,
};
