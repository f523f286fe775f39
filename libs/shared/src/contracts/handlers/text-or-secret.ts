import { z } from 'zod';

/** A name that an environment variable may have. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const VARIABLE_FORM = 'the name of an environment variable';

export interface SecretReference {
  readonly secret: string;
}

export type TextOrSecret = string | SecretReference;

/**
 * A text, or where the worker finds one that the file must not hold: its environment variable of that name, else the
 * file that the variable NAME_FILE names.
 * @param isText what a text must be
 * @param expected the same in words
 */
export const textOrSecret = (isText: (text: string) => boolean, expected: string) =>
  z.union(
    [z.string().refine(isText, expected), z.strictObject({ secret: z.string().regex(VARIABLE_NAME, VARIABLE_FORM) })],
    {
      error: `${expected}, or { secret: NAME } with the name of an environment variable of the worker`,
    },
  );

/** The names of the secrets that options refer to, wherever in them. */
export function secretNamesIn(options: unknown): string[] {
  if (typeof options !== 'object' || options === null) return [];
  const keys = Object.keys(options);
  if (keys.length === 1 && 'secret' in options && typeof options.secret === 'string') return [options.secret];
  return Object.values(options).flatMap(secretNamesIn);
}
