import { z } from 'zod';

/** A text that can be compared with one in the database. */
const text = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((value) => !value.includes('\0'), 'must not hold a NUL character');

const limit = (byDefault: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(1).max(200))
    .default(byDefault);

const kind = z.string().regex(/^[a-z][a-z_]{0,39}$/, 'must be the name of a kind');
const page = { limit: limit(50), cursor: z.string().max(4_000).optional() };

export const repositoriesQuery = z.strictObject(page);
export type RepositoriesQuery = z.infer<typeof repositoriesQuery>;

export const nodesQuery = z.strictObject({
  kind: kind.optional(),
  path: text(4_096).optional(),
  name: text(4_096).optional(),
  ...page,
});
export type NodesQuery = z.infer<typeof nodesQuery>;

export const edgesQuery = z.strictObject({
  kind: kind.optional(),
  from: z.guid().optional(),
  to: z.guid().optional(),
  ...page,
});
export type EdgesQuery = z.infer<typeof edgesQuery>;

export const searchQuery = z.strictObject({
  q: text(500).refine((value) => value.trim() !== '', 'must hold a word'),
  repository: z.guid().optional(),
  kind: kind.optional(),
  limit: limit(20),
});
export type SearchQuery = z.infer<typeof searchQuery>;
