import { z } from 'zod';

/**
 * Why a gitignore pattern is not used, or null when it is fine.
 *
 * Each "**" multiplies the ways to match a deep path, which are tried one by one: with many of them one path would hold
 * up a worker for minutes. Patterns that people write stay far below these limits.
 */
export function patternProblem(pattern: string): string | null {
  if (pattern.includes('\0')) return 'holds a NUL character';
  if (pattern.length > 1_000) return 'is longer than 1,000 characters';
  const doubleStars = pattern.split('/').filter((segment) => segment.includes('**')).length;
  return doubleStars > 3 ? 'has more than three "**"' : null;
}

const ignorePattern = z
  .string()
  .min(1)
  .superRefine((pattern, context) => {
    const problem = patternProblem(pattern);
    if (problem !== null) context.addIssue({ code: 'custom', message: `the pattern ${problem}` });
  });

/** Patterns as in a .gitignore at the root of the source. */
export const ignorePatterns = z.array(ignorePattern).max(1_000).default([]);
