import { Cron } from 'croner';

/** A cron that was understood. Its times are those of a wall clock, in milliseconds as if it stood in UTC. */
export interface CronCalendar {
  /** Whether a second, minute or hour is a `*` or a step: such a cron goes by real time when the clock is changed. */
  readonly goesByRealTime: boolean;
  /** The first time after `wallMs`, or null. */
  next(wallMs: number): number | null;
  /** The last time before `wallMs`, or null. */
  previous(wallMs: number): number | null;
}

/** What a text is as a cron, or why it is none. */
export type CronParse =
  { readonly ok: true; readonly calendar: CronCalendar } | { readonly ok: false; readonly message: string };

interface Field {
  readonly name: string;
  readonly expected: string;
}

/** In the order in which they are written. */
const FIELDS: readonly Field[] = [
  { name: 'second', expected: '0 to 59' },
  { name: 'minute', expected: '0 to 59' },
  { name: 'hour', expected: '0 to 23' },
  { name: 'day of the month', expected: '1 to 31, L (the last), 15W (the nearest weekday)' },
  { name: 'month', expected: '1 to 12 or JAN to DEC' },
  { name: 'day of the week', expected: '0 to 7 or SUN to SAT, 1#2 (the second Monday), 5L (the last Friday)' },
];
const FORM =
  'expected five fields (minute, hour, day of the month, month, day of the week) or six (a second before them)';
const NICKNAMES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

export const MAX_CRON_LENGTH = 200;
/** What a field may consist of: the library takes more, dates for instance. */
const FIELD = /^[\da-z*?,\-/#]+$/i;
/** Longer names in an error are cut. */
const MOST_SHOWN = 40;
/** A calendar takes 100 KB. */
const MOST_KEPT = 64;
const kept = new Map<string, CronParse>();

/** Understands five fields, or six with the second first. Never throws. */
export function parseCron(text: string): CronParse {
  const known = kept.get(text);
  if (known) return known;
  const parsed = understand(text);
  if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value ?? '');
  kept.set(text.slice(0, MAX_CRON_LENGTH + 1), parsed);
  return parsed;
}

/** The fields of a cron, six: the second 0 when it was left out. */
export function cronFields(text: string): readonly string[] {
  const fields = text.trim().split(/\s+/);
  return fields.length === 5 ? ['0', ...fields] : fields;
}

function understand(text: string): CronParse {
  if (text.length > MAX_CRON_LENGTH) return refuse(`is longer than ${MAX_CRON_LENGTH} characters`);
  const fields = cronFields(text);
  if (text.trim().startsWith('@')) return refuse(nicknameMessage(text.trim()));
  if (fields.length !== FIELDS.length) {
    const found = text.trim() === '' ? 'nothing' : `${text.trim().split(/\s+/).length} in ${shown(text)}`;
    return refuse(`${FORM}, found ${found}`);
  }
  const wrong = fields.findIndex((_, index) => !isField(fields, index));
  const field = FIELDS[wrong];
  if (field) {
    const found = shown(fields[wrong] ?? '');
    return refuse(
      `the ${field.name}: expected ${field.expected}, *, a list (1,5), a range (1-5) or a step (*/5, 1-9/2), found ${found}`,
    );
  }
  try {
    return { ok: true, calendar: calendarOf(fields) };
  } catch {
    return refuse(`${FORM}, found ${shown(text)}`);
  }
}

/** Whether the field is right by itself. */
function isField(fields: readonly string[], wanted: number): boolean {
  if (!FIELD.test(fields[wanted] ?? '')) return false;
  try {
    calendarOf(fields.map((field, index) => (index === wanted ? field : '*')));
    return true;
  } catch {
    return false;
  }
}

/** The library is asked for the calendar alone; what happens when clocks are changed is in `cron-times.ts`. */
function calendarOf(fields: readonly string[]): CronCalendar {
  const cron = new Cron(fields.join(' '), { utcOffset: 0, mode: '6-part', paused: true });
  return {
    goesByRealTime: fields.slice(0, 3).some((field) => /[*?/]/.test(field)),
    next: (wallMs) => cron.nextRun(new Date(wallMs))?.getTime() ?? null,
    previous: (wallMs) => cron.previousRuns(1, new Date(wallMs))[0]?.getTime() ?? null,
  };
}

function nicknameMessage(text: string): string {
  const fields = NICKNAMES[text.toLowerCase()];
  const instead = fields === undefined ? '' : `: write ${JSON.stringify(fields)}`;
  return `${FORM}, found the nickname ${shown(text)}${instead}`;
}

const shown = (text: string): string =>
  JSON.stringify(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);
const refuse = (message: string): CronParse => ({ ok: false, message });
