import type { Problem } from '#shared/contracts/job';
import { noteServerTime } from './clock';
import { apiKey, keyIsWanted } from './key';
import { createStore } from './store';

const LIMIT_MS = 15_000;

/** Since when the gateway has not answered, in ms since 1970 by the reader's clock; null: it answers. */
export const unreachableSince = createStore<number | null>(null);

/** Whether it answers reads with an error of its own, as without its database. */
export const isUnwell = createStore(false);

/** A call that was refused or got no answer. Its message is for people. */
export class CallError extends Error {
  constructor(
    message: string,
    /** Of HTTP; 0: there was no answer. */
    readonly status: number,
    /** What is wrong with which field. */
    readonly faults: readonly { readonly path: string; readonly message: string }[] = [],
  ) {
    super(message);
  }
}

/** Parameters of an address; undefined and empty ones are left out, lists are repeated. */
export type Parameters = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export function address(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? (value as readonly string[]) : [value as string | undefined]) {
      if (each !== undefined && each !== '') query.append(name, String(each));
    }
  }
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

/**
 * Calls the gateway.
 * @returns the answer's JSON; undefined when it has none
 * @throws CallError
 */
export async function call<T>(
  path: string,
  {
    method = 'GET',
    body,
    signal,
    limitMs = LIMIT_MS,
  }: { method?: string; body?: unknown; signal?: AbortSignal; limitMs?: number } = {},
): Promise<T> {
  const key = apiKey.get();
  const headers: Record<string, string> = { accept: 'application/json' };
  if (key !== '') headers['authorization'] = `Bearer ${key}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const limit = AbortSignal.timeout(limitMs);
  let response: Response;
  let text: string;
  try {
    response = await fetch(path, {
      method,
      headers,
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    unreachableSince.set(unreachableSince.get() ?? Date.now());
    throw new CallError('The gateway does not answer.', 0);
  }
  unreachableSince.set(null);
  noteServerTime(response.headers.get('date'));
  if (method === 'GET') isUnwell.set(response.status >= 500);
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T;
  if (response.status === 401) keyIsWanted.set(true);
  throw refusal(response, text);
}

function refusal(response: Response, text: string): CallError {
  try {
    const { title, detail, errors = [] } = JSON.parse(text) as Problem;
    const faults = errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
    return new CallError([detail ?? title, ...faults].join(' '), response.status, errors);
  } catch {
    return new CallError(`The gateway answered ${response.status} ${response.statusText}.`, response.status);
  }
}
