/** A zone of the IANA database: by how much its clock is ahead of UTC, and when that changes. */
export interface TimeZone {
  /** By how many milliseconds its clock is ahead of UTC at that time. */
  offsetMs(atMs: number): number;
  /** The first moment in (from, to] from which on the offset is another than at `fromMs`; null when there is none. */
  firstChange(fromMs: number, toMs: number): number | null;
  /** The last moment in (from, to] since which the offset is that at `toMs`, and before which it was another; or null. */
  lastChange(fromMs: number, toMs: number): number | null;
}

const SECOND_MS = 1_000;
/** No zone has changed its clock there and back within it. */
const STEP_MS = 7 * 86_400_000;
/** A name; `+02:00`, which Node may take too, is none: it has no daylight saving, and is easily meant for one that has. */
const NAME = /^[a-z][a-z0-9_+\-/]{0,63}$/i;
const OFFSET = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

/** As many as there are names. */
const zones = new Map<string, TimeZone>();

/** The zone of that name, whatever its case; null when there is none. */
export function timeZone(name: string): TimeZone | null {
  const key = name.toLowerCase();
  const known = zones.get(key);
  if (known) return known;
  const format = formatOf(name);
  if (!format) return null;
  const zone = zoneOf((atMs) => offsetIn(format.format(atMs)));
  zones.set(key, zone);
  return zone;
}

function formatOf(name: string): Intl.DateTimeFormat | null {
  if (!NAME.test(name)) return null;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  } catch {
    return null;
  }
}

function offsetIn(text: string): number {
  const [found, sign, hours = '0', minutes = '0', seconds = '0'] = OFFSET.exec(text) ?? [];
  if (found === undefined) throw new Error(`no offset in ${JSON.stringify(text)}`);
  return (sign === '-' ? -1 : 1) * (Number(hours) * 3_600 + Number(minutes) * 60 + Number(seconds)) * SECOND_MS;
}

/** Times are whole seconds: no clock is changed in between. */
function zoneOf(offsetMs: (atMs: number) => number): TimeZone {
  /** Between two moments with different offsets: the first one with another than at `lowMs`. */
  const changeBetween = (lowMs: number, highMs: number): number => {
    const before = offsetMs(lowMs);
    let [low, high] = [Math.floor(lowMs / SECOND_MS), Math.ceil(highMs / SECOND_MS)];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetMs(middle * SECOND_MS) === before) low = middle;
      else high = middle;
    }
    return high * SECOND_MS;
  };
  return {
    offsetMs,
    firstChange: (fromMs, toMs) => {
      const before = offsetMs(fromMs);
      for (let low = fromMs; low < toMs; low += STEP_MS) {
        const high = Math.min(low + STEP_MS, toMs);
        if (offsetMs(high) !== before) return changeBetween(low, high);
      }
      return null;
    },
    lastChange: (fromMs, toMs) => {
      const after = offsetMs(toMs);
      for (let high = toMs; high > fromMs; high -= STEP_MS) {
        const low = Math.max(high - STEP_MS, fromMs);
        if (offsetMs(low) !== after) return changeBetween(low, high);
      }
      return null;
    },
  };
}
