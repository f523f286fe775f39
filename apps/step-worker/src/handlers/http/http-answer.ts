import type { Json } from '#shared/domain/json';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { retryAfterMs } from './retry-after';

/** What a server said, its body read as far as it may be. */
export interface HttpAnswer {
  readonly status: number;
  /** Of a header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly body: string;
  /** Whether there was more of the body than may be read. */
  readonly isCut: boolean;
}

export type AnswerKind = 'completed' | 'transient' | 'permanent';

const TRANSIENT_STATUSES = new Set([408, 425, 429]);

/** What a status means for the step: the contract's table. */
export function kindOfStatus(status: number): AnswerKind {
  if (status >= 200 && status < 300) return 'completed';
  return status >= 500 || TRANSIENT_STATUSES.has(status) ? 'transient' : 'permanent';
}

const MAX_QUOTED_CHARACTERS = 200;

export interface AnswerWays {
  /** By this machine's clock. */
  readonly nowMs: number;
  /** Takes secrets out of what is quoted, of which the end may be missing. */
  readonly hide: (text: string, isCut?: boolean) => string;
  /** Told when there was a body that is no output. */
  readonly log: (line: string) => void;
}

/**
 * The output that an answer gives.
 * @param request the request in words, without secrets: `POST http://example.org/path`
 * @throws PermanentError, TransientError by the status; TransientError also for broken JSON
 */
export function outputOf(answer: HttpAnswer, request: string, ways: AnswerWays): Json {
  const { status, header } = answer;
  const answered = `${request} answered ${status}`;
  const kind = kindOfStatus(status);
  if (kind === 'completed') return outputOfBody(answer, answered, ways);
  const quoted = oneLine(ways.hide(answer.body, answer.isCut));
  const message = quoted === '' ? answered : `${answered}: ${quoted}`;
  const code = `http_${status}`;
  if (kind === 'transient') {
    throw new TransientError(message, code, retryAfterMs(header('retry-after'), header('date'), ways.nowMs));
  }
  if (status >= 300 && status < 400)
    throw new PermanentError(redirectMessage(answered, header('location'), ways), code);
  throw new PermanentError(message, code);
}

/**
 * A body is JSON when its type says so; one without a type, or of plain text, when it can be read as such: many small
 * servers say nothing.
 */
function outputOfBody({ header, body, isCut }: HttpAnswer, answered: string, { hide, log }: AnswerWays): Json {
  if (body.trim() === '') return {};
  const type = (header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const claimsJson = /^[^/]+\/([^/]+\+)?json$/.test(type);
  if (claimsJson || type === '' || type === 'text/plain') {
    if (isCut && claimsJson) {
      throw new PermanentError(`${answered} with more than 1 MiB: an output may not be larger`, 'answer_too_large');
    }
    const value = isCut ? undefined : parsed(body);
    if (value !== undefined) return value ?? {};
    if (claimsJson) {
      throw new TransientError(`${answered} with JSON that cannot be read: ${oneLine(hide(body))}`, 'http_bad_json');
    }
  }
  log(`${answered} with a body that is no JSON (${type || 'without a type'}): the output is {}`);
  return {};
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function redirectMessage(answered: string, location: string | undefined, { hide }: AnswerWays): string {
  // Hidden before it is shortened, and after it may have been written in another way.
  const to = location === undefined ? 'elsewhere' : `to ${hide(shownUrl(hide(location)))}`;
  return `${answered}: it points ${to}, and redirects are not followed. Write the final address into the step's url`;
}

/** An address without what may be secret in it: user, password, query. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return oneLine(text.split(/[?#]/)[0] ?? '');
  const { origin, pathname, search } = new URL(text);
  return `${origin}${pathname}${search === '' ? '' : '?…'}`;
}

/** The first 200 characters of a text, on one line. */
export function oneLine(text: string): string {
  const line = text
    .slice(0, 20 * MAX_QUOTED_CHARACTERS)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return Array.from(line).slice(0, MAX_QUOTED_CHARACTERS).join('');
}
