import { z } from 'zod';
import type { JsonObject } from '#shared/domain/json';

/** Deeper values would make recursive code, here or in the database, run out of stack. */
export const MAX_JSON_DEPTH = 64;

/** What Postgres cannot keep in a text: NUL, and halves of surrogate pairs. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** Whether Postgres can keep the text as it is. */
export const isStorable = (text: string): boolean => !UNSTORABLE.test(text);

export const NOT_STORABLE = 'holds a NUL character or half a surrogate pair, which cannot be stored';

interface JsonFault {
  readonly path: (string | number)[];
  readonly message: string;
}

/** Text of at most so many characters that can be stored. */
export const storableString = (min: number, max: number) =>
  z.string().min(min).max(max).refine(isStorable, NOT_STORABLE);

/**
 * A JSON object of any shape that can be kept as it is. Keys called `__proto__` are refused, however deep: what copies
 * such an object later need not be careful.
 */
export const jsonObject = z.custom<JsonObject>(isObject, 'expected a JSON object').superRefine((value, context) => {
  const fault = jsonFault(value, 0);
  if (fault) context.addIssue({ code: 'custom', path: fault.path.reverse(), message: fault.message });
});

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first thing in the value that may not be there; its path is from the innermost key outwards. */
function jsonFault(value: unknown, depth: number): JsonFault | null {
  if (typeof value === 'string') return isStorable(value) ? null : { path: [], message: NOT_STORABLE };
  if (typeof value === 'number') {
    return Number.isFinite(value) ? null : { path: [], message: 'is a number beyond what JSON readers can keep' };
  }
  if (typeof value !== 'object' || value === null) return null;
  if (depth > MAX_JSON_DEPTH) return { path: [], message: `is nested more than ${MAX_JSON_DEPTH} levels deep` };
  const fields: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [key, field] of fields) {
    const fault = keyFault(key) ?? jsonFault(field, depth + 1);
    if (fault) {
      fault.path.push(key);
      return fault;
    }
  }
  return null;
}

function keyFault(key: string | number): JsonFault | null {
  if (key === '__proto__') return { path: [], message: 'is a name that is not allowed' };
  return typeof key === 'number' || isStorable(key) ? null : { path: [], message: `has a name that ${NOT_STORABLE}` };
}
