/** `850ms`, `3.2s`, `2m 05s`, `1h 02m`, `3d 04h`; `-` for none. */
export function duration(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return pair(seconds, 60, 'm', 1, 's');
  if (seconds < 86_400) return pair(seconds, 3_600, 'h', 60, 'm');
  return pair(seconds, 86_400, 'd', 3_600, 'h');
}

function pair(seconds: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const rest = Math.floor((seconds % large) / small);
  return `${Math.floor(seconds / large)}${largeUnit} ${String(rest).padStart(2, '0')}${smallUnit}`;
}

/** For sentences, counted up: `5 s`, `3 min 20 s`, `1 h 02 min`, `3 d 04 h`. */
export function longDuration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return pair(seconds, 60, ' min', 1, ' s');
  if (seconds < 86_400) return pair(seconds, 3_600, ' h', 60, ' min');
  return pair(seconds, 86_400, ' d', 3_600, ' h');
}

export const percent = (value: number): string => `${Math.floor(value)} %`;

export const retries = (count: number, max: number): string => `${count}/${max}`;

/** How far off a time is, e.g. `in 4.2s`; `now` once it has come, `-` for none. */
export function until(time: string | null, now: number): string {
  if (time === null) return '-';
  const ms = Date.parse(time) - now;
  return ms <= 0 ? 'now' : `in ${duration(ms)}`;
}

/** The same for what is drawn again and again: `in 5s`, counted up so that the last second is `in 1s`. */
export function countdown(time: string | null, now: number): string {
  if (time === null) return '';
  const seconds = Math.ceil((Date.parse(time) - now) / 1_000);
  if (seconds <= 0) return 'now';
  return seconds < 60 ? `in ${seconds}s` : `in ${duration(seconds * 1_000)}`;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `2030-01-31 18:30:05` in local time; `-` for none. */
export function localTime(time: string | null): string {
  if (time === null) return '-';
  const at = new Date(time);
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(time)}`;
}

/** `18:30:05` in local time. */
export function clockTime(time: string): string {
  const at = new Date(time);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

/** `1 job`, `2 jobs` */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** `37.5 %`, `120.0 MB`; `-` for none. */
export const figure = (value: number | null, unit: string): string =>
  value === null ? '-' : `${value.toFixed(1)}${unit}`;
