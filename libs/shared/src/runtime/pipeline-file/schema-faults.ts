import { z } from 'zod';
import type { Json, JsonObject } from '#shared/domain/json';
import { didYouMean } from '#shared/runtime/pipeline-file/closest-name';
import type { Path } from '#shared/runtime/pipeline-file/located-yaml';

/** A fault that knows its place in the document, not yet its line. */
export interface PathFault {
  readonly path: Path;
  readonly expected: string;
  readonly found: string;
}

type Issue = z.core.$ZodIssue;

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value in a few words. */
export function describeValue(value: Json | undefined): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty mapping' : 'a mapping';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/**
 * What a schema says of a value, as faults.
 * @param base where in the document the value stands
 * @param saidBy who speaks when the schema has a message of its own, e.g. `handler noop`
 */
export function schemaFaults(schema: z.ZodType, value: Json, base: Path, saidBy?: string): PathFault[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => {
    const within = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    const path = [...base, ...within];
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeys(schema, within);
      const expected = known.length === 0 ? 'no keys here' : `one of ${known.join(', ')}`;
      return issue.keys.map((key) => ({
        path: [...path, key],
        expected,
        found: `the key ${JSON.stringify(key)}${didYouMean(key, known)}`,
      }));
    }
    const found = issue.code === 'invalid_key' ? JSON.stringify(within.at(-1)) : describeValue(valueAt(value, within));
    return [{ path, expected: expectation(issue, saidBy), found }];
  });
}

function valueAt(value: Json, path: Path): Json | undefined {
  return path.reduce<Json | undefined>((part, key) => {
    if (Array.isArray(part)) return typeof key === 'number' ? part[key] : undefined;
    return isObject(part) && Object.hasOwn(part, key) ? part[key] : undefined;
  }, value);
}

function knownKeys(schema: z.ZodType, path: Path): string[] {
  const object = path.reduce<unknown>((part, key) => {
    const inner = unwrap(part);
    if (inner instanceof z.ZodObject) return inner.shape[key];
    if (inner instanceof z.ZodRecord) return inner.valueType;
    return inner instanceof z.ZodArray ? inner.element : undefined;
  }, schema);
  const inner = unwrap(object);
  // Of several forms the one with keys is meant.
  const forms = inner instanceof z.ZodUnion ? inner.options : [inner];
  return forms.flatMap((form) => (form instanceof z.ZodObject ? Object.keys(form.shape) : []));
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? unwrap(schema.unwrap()) : schema;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function expectation(issue: Issue, saidBy?: string): string {
  switch (issue.code) {
    case 'invalid_type':
      return TYPE_WORDS[issue.expected] ?? issue.expected;
    case 'too_small':
      return bound('at least', 'more than', issue.origin, issue.minimum, issue.inclusive ?? true);
    case 'too_big':
      return bound('at most', 'less than', issue.origin, issue.maximum, issue.inclusive ?? true);
    case 'invalid_value':
      return `${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'another key';
    default:
      return saidBy === undefined ? issue.message : `a value that ${saidBy} takes (${issue.message})`;
  }
}

const COUNTED: Readonly<Record<string, string>> = { array: ' items', string: ' characters', object: ' keys' };

function bound(within: string, beyond: string, origin: string, limit: number | bigint, inclusive: boolean): string {
  return `${inclusive ? within : beyond} ${limit}${COUNTED[origin] ?? ''}`;
}
