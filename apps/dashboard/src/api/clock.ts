/** Below this the two clocks are taken for the same: an answer says its time in whole seconds, and takes a while. */
const TELLING_MS = 5_000;

let offsetMs = 0;

/** Takes over the gateway's time from the `Date` of an answer. */
export function noteServerTime(date: string | null): void {
  const at = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(at)) return;
  const difference = at - Date.now();
  offsetMs = Math.abs(difference) < TELLING_MS ? 0 : difference;
}

/** Now, in ms since 1970, as the gateway's clock has it: the reader's may be an hour off, and times come from there. */
export const serverNow = (): number => Date.now() + offsetMs;

/** A time of the reader's clock as the gateway's has it. */
export const serverTimeOf = (ms: number): number => ms + offsetMs;
