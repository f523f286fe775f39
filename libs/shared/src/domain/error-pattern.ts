import type { StepError } from '#shared/domain/turn/job-draft';

/** What differs from one occurrence of an error to the next, from the most to the least specific. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi, '<id>'],
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  [/\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>)]+/gi, '<url>'],
  [/(?:\.{0,2}\/)[^\s"':,;<>()]+/g, '<path>'],
  [/"[^"]*"|'[^']*'|`[^`]*`/g, '<text>'],
  [/\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{6,}\b/gi, '<hex>'],
  [/\d+(?:[.,]\d+)*/g, '<n>'],
];
const MAX_CHARACTERS = 500;

/**
 * What an error has in common with others of its kind: its kind and code, and its message without ids, times, addresses,
 * paths, quoted texts and numbers.
 */
export function errorPattern({ kind, code, message }: StepError): string {
  const start = message.slice(0, 4 * MAX_CHARACTERS);
  const text = VARYING.reduce((before, [varying, name]) => before.replace(varying, name), start);
  return `${kind} ${code ?? '-'} ${text.replace(/\s+/g, ' ').trim().slice(0, MAX_CHARACTERS)}`;
}
