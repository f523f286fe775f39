import type { z } from 'zod';
import type { InputFault } from '#shared/domain/errors';

/** A name that comes from outside is cut to this, so that an answer is not as long as what it refuses. */
const MAX_PATH = 200;
const MAX_FAULTS = 20;

/** What a schema found wrong, one entry for each place: dotted paths, unknown fields each on its own. */
export function inputFaults(error: z.ZodError, prefix: readonly (string | number)[] = []): InputFault[] {
  const faults = error.issues.flatMap((issue): InputFault[] => {
    const path = [...prefix, ...issue.path.map(String)];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ path: dotted([...path, key]), message: 'is not a known field' }));
    }
    return [{ path: dotted(path), message: messageOf(issue) }];
  });
  return faults.slice(0, MAX_FAULTS);
}

/** `options.filesystem.max_file_bytes` */
export const dotted = (path: readonly (string | number)[]): string => path.join('.').slice(0, MAX_PATH);

function messageOf(issue: z.core.$ZodIssue): string {
  const message = issue.message.replace(/^Invalid (?:input|option): /, '');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return message.replace('received undefined', 'found nothing');
  }
  return message.replace(', received ', ', found ');
}
