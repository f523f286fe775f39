import { InvalidArgumentError } from 'commander';
import type { Json, JsonObject } from '#shared/domain/json';

/** Options for steps, as the gateway takes them. */
export type StepOptions = Record<string, JsonObject>;

/**
 * Adds `STEP.KEY=VALUE` to the options so far. VALUE is JSON where it can be read as JSON, otherwise text.
 * @throws InvalidArgumentError
 */
export function addAssignment(text: string, before: StepOptions = {}): StepOptions {
  const [, step, key, value] = /^([^.=]+)\.([^=]+)=(.*)$/s.exec(text) ?? [];
  if (step === undefined || key === undefined || value === undefined) {
    throw new InvalidArgumentError('Expected STEP.KEY=VALUE, e.g. filesystem.max_file_bytes=1000.');
  }
  const options = new Map(Object.entries(before));
  const ofStep = new Map(Object.entries(options.get(step) ?? {}));
  options.set(step, Object.fromEntries(ofStep.set(key, jsonOrText(value))));
  return Object.fromEntries(options);
}

function jsonOrText(value: string): Json {
  try {
    return JSON.parse(value) as Json;
  } catch {
    return value;
  }
}
