import { MAX_JSON_DEPTH } from '#shared/contracts/json-input';
import type { Json } from '#shared/domain/json';

/** More than this an output may not be: it is kept, sent and shown. */
export const MAX_OUTPUT_BYTES = 1024 * 1024;

export type CheckedOutput = { readonly output: Json } | { readonly fault: string };

/**
 * What a handler gave, as an output: nothing is `{}`. Handlers in JavaScript may give anything, whatever their types
 * say: also what JSON cannot say.
 */
export function checkOutput(given: unknown): CheckedOutput {
  const output = given ?? {};
  const text = jsonOf(output);
  if (text === undefined) return { fault: 'the output is not JSON' };
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_OUTPUT_BYTES) {
    return { fault: `the output has ${bytes} bytes of JSON; ${MAX_OUTPUT_BYTES} are allowed` };
  }
  if (isTooDeep(text)) return { fault: `the output is nested more than ${MAX_JSON_DEPTH} levels deep` };
  return { output: output as Json };
}

function jsonOf(output: unknown): string | undefined {
  try {
    return JSON.stringify(output);
  } catch {
    return undefined;
  }
}

/** Deeper than jobs' inputs may be: the database would refuse it, and with it everything that it is written with. */
function isTooDeep(text: string): boolean {
  if (text.length <= 2 * MAX_JSON_DEPTH) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    if (depth > MAX_JSON_DEPTH) return true;
  }
  return false;
}

/** Where the string that begins here has its closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
