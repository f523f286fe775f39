import { resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { Json, JsonObject } from '#shared/domain/json';

/** A source as the gateway takes it: a path is made absolute, an address stays as it is. */
export function absoluteSource(source: string, cwd: string): string {
  const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(source) || /^[^/\\\s:]+@[^/\\\s:]+:/.test(source);
  return isAddress ? source : resolve(cwd, source);
}

/** For an option that may be given again and again, or as a list with commas. */
export const addToList = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== ''),
];

/** The same for ids. @throws InvalidArgumentError for none: in a script a variable that is not set would drop them all */
export function addIds(text: string, before: readonly string[] = []): string[] {
  const ids = addToList(text);
  if (ids.length === 0) throw new InvalidArgumentError('Expected ids of jobs, separated by commas; found none.');
  return [...before, ...ids];
}

/** For an option that may be given again and again. */
export const addOne = (text: string, before: readonly string[] = []): string[] => [...before, text];

/** A number within the bounds. */
export const numberFrom =
  (min: number, max: number, whole = false) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`Expected a ${whole ? 'whole ' : ''}number from ${min} to ${max}.`);
  };

/** A JSON object in a text. */
export function parseInput(text: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    throw new InvalidArgumentError(
      `Expected a JSON object: ${error instanceof Error ? error.message : String(error)}.`,
    );
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new InvalidArgumentError('Expected a JSON object, e.g. {"since": "2030-01-01"}.');
}
