/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | JsonObject;

/** A JSON object: what inputs and options are. */
export interface JsonObject {
  [key: string]: Json;
}

/**
 * The one text of a JSON value whatever the order of its fields: keys sorted at every level.
 * Fields that are `undefined` are left out, as `JSON.stringify` does.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (value === undefined) return 'null';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonicalJson(field)}`);
  return `{${fields.join(',')}}`;
}

const NOT_STORABLE = /\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/**
 * The JSON text of a value as Postgres can keep it: NUL characters and halves of surrogate pairs, which `jsonb` refuses,
 * become U+FFFD.
 */
export function storableJsonText(value: unknown): string {
  const text = value === undefined ? 'null' : JSON.stringify(value);
  return NOT_STORABLE.test(text) ? JSON.stringify(JSON.parse(text, (_, part: unknown) => storable(part))) : text;
}

/** A text as Postgres can keep it: see `storableJsonText`. */
export const storableText = (text: string): string => text.replaceAll('\0', '\ufffd').toWellFormed();

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [storableText(key), part]));
}
