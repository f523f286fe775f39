import { InvalidArgumentError } from 'commander';
import { MILLISECONDS_FROM } from '#shared/contracts/start-time';
import { numberFrom } from './values';

const FORM = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/i;

const FORMS = '2030-01-31T18:30, 2030-01-31 (local time), 2030-01-31T18:30:00+02:00, or Unix seconds';

/**
 * A time as people write it, as the gateway takes it: ISO 8601 in UTC, or Unix seconds as they are. Without an offset
 * it is the local time of this machine: where a clock that is set shows a time twice, the first; one that it passes over
 * is as much later.
 * @throws InvalidArgumentError
 */
export function parseEta(text: string): string | number {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return unixSeconds(Number(trimmed));
  const [, year, month, day, time = '00:00', offset] = FORM.exec(trimmed) ?? [];
  const onDay = new Date(`${year}-${month}-${day}T00:00:00Z`);
  const at = new Date(`${year}-${month}-${day}T${time}${offset === undefined ? '' : fullOffset(offset)}`);
  // 30 February would be read as 1 or 2 March.
  const exists = onDay.getUTCDate() === Number(day) && onDay.getUTCMonth() + 1 === Number(month);
  if (!exists || Number.isNaN(at.getTime())) throw new InvalidArgumentError(`Expected a time: ${FORMS}.`);
  return at.toISOString();
}

/** @throws InvalidArgumentError */
function unixSeconds(seconds: number): number {
  if (seconds < MILLISECONDS_FROM) return seconds;
  throw new InvalidArgumentError('That can only be milliseconds: give Unix seconds.');
}

/** `+02` and `+0200` as `+02:00`. */
const fullOffset = (offset: string): string =>
  offset.toUpperCase().replace(/^([+-]\d\d):?(\d\d)?$/, (_, hours: string, minutes = '00') => `${hours}:${minutes}`);

/** The same, always as ISO 8601 in UTC. @throws InvalidArgumentError */
export function parseTime(text: string): string {
  const parsed = parseEta(text);
  if (typeof parsed === 'string') return parsed;
  const at = new Date(parsed * 1_000);
  if (Number.isNaN(at.getTime())) throw new InvalidArgumentError(`Expected a time: ${FORMS}.`);
  return at.toISOString();
}

const TEN_YEARS_SECONDS = 10 * 366 * 86_400;

/** Seconds from now on; the gateway knows how long ten years are just now. @throws InvalidArgumentError */
export const parseCountdown = numberFrom(0, TEN_YEARS_SECONDS);
