import type { Json } from '#shared/domain/json';
import { cliLine, curlLine } from '../../ui/shell';
import type { JobRequest } from './draft';

/** @param origin of this page, like `http://localhost:3000` */
export const submitCurl = (body: JobRequest, origin: string, withKey: boolean): string =>
  curlLine({ method: 'POST', url: `${origin}/v1/ingest`, body, withKey });

/** Both are sent as they are; from any other text the command makes a path from where it is called. */
const ABSOLUTE = /^(?:\/|[a-z][a-z0-9+.-]*:\/\/|[^/\\\s:]+@[^/\\\s:]+:)/i;

/** The same job from the command line; null when it has a name or a source that the command has no way to say. */
export function submitCli(body: JobRequest, origin: string): string | null {
  const options = optionWords(body.options ?? {});
  const steps = stepWords(body.steps ?? []);
  const { source } = body;
  if (options === null || steps === null || (source !== undefined && !ABSOLUTE.test(source))) return null;
  const words = [
    ...pair('--pipeline', body.pipeline),
    ...pair('--branch', body.branch),
    ...pair('--priority', body.priority),
    ...steps,
    ...options,
    ...pair('--input', body.input && JSON.stringify(body.input)),
    ...pair('--eta', body.eta),
    ...pair('--countdown', body.countdown?.toString()),
    ...pair('--depends-on', body.depends_on?.join(',')),
    ...pair('--on-dependency-failure', body.on_dependency_failure),
    ...(body.tags ?? []).flatMap((tag) => pair('--tag', tag)),
    ...pair('--description', body.description),
    ...pair('--idempotency-key', body.idempotency_key),
  ];
  if (source === undefined) return cliLine(['ingest', 'start', ...words], origin);
  const isLikeOption = source.startsWith('-');
  return cliLine(['ingest', 'start', ...(isLikeOption ? [...words, '--', source] : [source, ...words])], origin);
}

const pair = (option: string, value: string | undefined): string[] => (value === undefined ? [] : [option, value]);

/** Names are separated by commas there. */
function stepWords(steps: readonly string[]): string[] | null {
  if (steps.some((name) => name.includes(',') || name !== name.trim())) return null;
  return steps.length === 0 ? [] : ['--steps', steps.join(',')];
}

/** `--option STEP.KEY=VALUE`: the first dot ends the step, the first = the key. */
function optionWords(options: NonNullable<JobRequest['options']>): string[] | null {
  const words: string[] = [];
  for (const [step, values] of Object.entries(options)) {
    for (const [key, value] of Object.entries(values)) {
      if (/[.=]/.test(step) || key.includes('=')) return null;
      words.push('--option', `${step}.${key}=${valueText(value)}`);
    }
  }
  return words;
}

/** JSON; a text that could not be taken for JSON as it is. */
function valueText(value: Json): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  try {
    JSON.parse(value);
    return JSON.stringify(value);
  } catch {
    return value;
  }
}
