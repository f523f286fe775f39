import type { Json } from '#shared/domain/json';

const REPLACEMENT = '\uFFFD';

/** The text as Postgres can keep it: NUL characters and halves of surrogate pairs become U+FFFD. */
export function storableText(text: string): string {
  return text.replace(/\0|[\uD800-\uDFFF]/gu, REPLACEMENT);
}

/** The value with every text in it, field names included, as Postgres can keep it. */
export function storableJson(value: Json): Json {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storableJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [storableText(name), storableJson(field)]));
}
