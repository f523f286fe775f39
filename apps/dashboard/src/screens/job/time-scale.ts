/** Where a time lies on an axis, and what is written at it. */
export interface TimeScale {
  /** 0 … 1 */
  readonly at: (ms: number) => number;
  readonly ticks: readonly { readonly at: number; readonly afterMs: number }[];
  /** Stretches of which next to nothing is drawn, because nothing happened in them. */
  readonly cuts: readonly { readonly at: number; readonly ms: number }[];
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS_MS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 30, 90, 365].map((count) => count * DAY),
];
/** A pause is cut when it is longer than that part of all that happened. */
const CUT_ABOVE = 0.5;
const SHORTEST_CUT_MS = 5 * SECOND;
/** How much of the axis a cut takes. */
const CUT_WIDTH = 0.03;

/**
 * An axis over everything that happened. Long pauses, as between the end of a job and its retry by hand the next day, are
 * cut out: they would leave no room for the rest.
 */
export function timeScale(bars: readonly Stretch[], tickCount = 6): TimeScale {
  const busy = union(bars);
  const first = busy[0];
  if (!first) return { at: () => 0, ticks: [], cuts: [] };
  const busyMs = busy.reduce((sum, { from, to }) => sum + to - from, 0);
  const parts: Stretch[] = [first];
  const pauses: number[] = [];
  for (const next of busy.slice(1)) {
    const last = parts.at(-1) ?? next;
    const pause = next.from - last.to;
    if (pause > Math.max(SHORTEST_CUT_MS, busyMs * CUT_ABOVE)) {
      parts.push(next);
      pauses.push(pause);
    } else parts[parts.length - 1] = { from: last.from, to: next.to };
  }
  const shownMs = Math.max(
    1,
    parts.reduce((sum, { from, to }) => sum + to - from, 0),
  );
  const cutWidth = pauses.length === 0 ? 0 : Math.min(CUT_WIDTH, 0.5 / pauses.length);
  const perMs = (1 - cutWidth * pauses.length) / shownMs;
  const starts: number[] = [];
  let x = 0;
  for (const { from, to } of parts) {
    starts.push(x);
    x += (to - from) * perMs + cutWidth;
  }
  const at = (ms: number): number => {
    const index = Math.max(
      0,
      parts.findLastIndex(({ from }) => ms >= from),
    );
    const part = parts[index] ?? first;
    const inPart = Math.min(Math.max(ms, part.from), part.to) - part.from;
    return Math.min(1, (starts[index] ?? 0) + inPart * perMs);
  };
  const every = STEPS_MS.find((step) => shownMs / step <= tickCount) ?? shownMs;
  return {
    at,
    ticks: parts
      .flatMap((part) => ticksOf(part, first.from, every))
      .map((ms) => ({ at: at(first.from + ms), afterMs: ms })),
    cuts: pauses.map((ms, index) => ({ at: (starts[index + 1] ?? 1) - cutWidth / 2, ms })),
  };
}

/** Whole numbers of ticks since the beginning. */
function ticksOf({ from, to }: Stretch, start: number, every: number): number[] {
  const ticks: number[] = [];
  for (let ms = Math.ceil((from - start) / every) * every; ms <= to - start; ms += every) ticks.push(ms);
  return ticks;
}

/** The stretches in order, those that touch made one. */
function union(bars: readonly Stretch[]): Stretch[] {
  const sorted = bars.toSorted((a, b) => a.from - b.from);
  const joined: Stretch[] = [];
  for (const { from, to } of sorted) {
    const last = joined.at(-1);
    if (last && from <= last.to) joined[joined.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else joined.push({ from, to });
  }
  return joined;
}
