import type { AttemptView, JobView, StepView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';

/** A stretch of time of one step; `to` of what goes on is now. In ms since 1970. */
export interface Bar {
  /** Ready, and not begun; at work; between an attempt that failed and the next. */
  readonly kind: 'waiting' | 'running' | 'back_off';
  readonly from: number;
  readonly to: number;
  /** It goes on. */
  readonly isOpen: boolean;
  /** The attempt that runs, or that the back-off follows. */
  readonly attempt: AttemptView | null;
}

export interface StepBars {
  readonly step: StepView;
  readonly bars: readonly Bar[];
}

/** An attempt whose times are numbers. */
interface Span {
  readonly attempt: AttemptView;
  readonly from: number;
  /** null: it runs. */
  readonly to: number | null;
}

/** What every step of a job did over time, by its attempts. Pure: the clock is given. */
export function barsOf(job: JobView, attempts: readonly AttemptView[], nowMs: number): readonly StepBars[] {
  const spans = new Map(job.steps.map((step) => [step.name, spansOf(step, attempts)]));
  return job.steps.map((step) => ({ step, bars: barsOfStep(job, step, spans, nowMs) }));
}

/** The attempts of a step in order, and what the job's own state knows beyond them: they are read less often. */
function spansOf(step: StepView, attempts: readonly AttemptView[]): Span[] {
  const mine = attempts.filter((attempt) => attempt.step === step.name).sort((a, b) => a.number - b.number);
  const last = mine.at(-1);
  if (step.status === 'running' && step.started_at !== null && (last?.number ?? 0) < step.attempt) {
    mine.push(unread(step, step.started_at));
  }
  return mine.map((attempt) => ({
    attempt,
    from: Date.parse(attempt.started_at),
    to: endOf(attempt, step),
  }));
}

const unread = (step: StepView, started_at: string): AttemptView => ({
  ...{ step: step.name, number: step.attempt, worker: step.worker, started_at, finished_at: null, outcome: null },
  ...{ error: null, duration_ms: null, cpu_percent: null, memory_mb: null, next_delay_ms: null },
});

function endOf({ number, finished_at }: AttemptView, step: StepView): number | null {
  if (finished_at !== null) return Date.parse(finished_at);
  if (step.status === 'running' && number >= step.attempt) return null;
  // It ran when it was read, and has ended since.
  const end = step.completed_at ?? (step.last_error?.attempt === number ? step.last_error.at : null);
  return end === null ? null : Date.parse(end);
}

function barsOfStep(job: JobView, step: StepView, spans: ReadonlyMap<string, readonly Span[]>, nowMs: number): Bar[] {
  const bars: Bar[] = [];
  const mine = spans.get(step.name) ?? [];
  mine.forEach((span, at) => {
    bars.push(...between(job, step, mine[at - 1], span.from, spans));
    const to = span.to ?? Math.max(nowMs, span.from);
    bars.push({ kind: 'running', from: span.from, to, isOpen: span.to === null, attempt: span.attempt });
  });
  const last = mine.at(-1);
  const isWaiting = step.status === 'queued' || step.status === 'retrying';
  if (!isWaiting || isEnded(job.status) || last?.to === null) return bars;
  const until = between(job, step, last, nowMs, spans);
  bars.push(...until.map((bar, at) => ({ ...bar, isOpen: at === until.length - 1 })));
  return bars;
}

/** What lies between an attempt, or the time when there was none yet, and the next one or now. */
function between(
  job: JobView,
  step: StepView,
  before: Span | undefined,
  until: number,
  spans: ReadonlyMap<string, readonly Span[]>,
): Bar[] {
  const waitingSince = (from: number | null): Bar[] =>
    from === null || from >= until ? [] : [{ kind: 'waiting', from, to: until, isOpen: false, attempt: null }];
  if (!before || before.to === null) return waitingSince(readyAt(job, step, until, spans));
  const { attempt, to: end } = before;
  if (attempt.outcome === 'crashed') return waitingSince(end);
  const delay = attempt.next_delay_ms ?? delayOf(step, attempt, end);
  if (delay === null) {
    // It had ended for good: a retry by hand began it again.
    const ready = readyAt(job, step, until, spans);
    return waitingSince(ready !== null && ready >= end ? ready : null);
  }
  const over = Math.min(end + delay, until);
  const backOff: Bar = { kind: 'back_off', from: end, to: over, isOpen: false, attempt };
  return [...(over > end ? [backOff] : []), ...waitingSince(over)];
}

/** Of the attempt that has just ended and was read before that. */
function delayOf(step: StepView, { number }: AttemptView, end: number): number | null {
  if (step.status !== 'retrying' || step.attempt !== number || step.next_retry_at === null) return null;
  return Math.max(0, Date.parse(step.next_retry_at) - end);
}

/** When the last of the needed steps had ended before that time; for one that needs none, when the job could begin. */
function readyAt(
  job: JobView,
  step: StepView,
  until: number,
  spans: ReadonlyMap<string, readonly Span[]>,
): number | null {
  if (step.needs.length === 0) return job.queued_at === null ? null : Date.parse(job.queued_at);
  const ends = step.needs.map((need) =>
    (spans.get(need) ?? []).reduce<number | null>(
      (latest, { to }) => (to !== null && to <= until && (latest === null || to > latest) ? to : latest),
      null,
    ),
  );
  return ends.includes(null) ? null : Math.max(...ends.map((end) => end ?? 0));
}

/** From the first to the last of the bars; null when there are none. */
export function rangeOf(rows: readonly StepBars[]): { readonly from: number; readonly to: number } | null {
  const bars = rows.flatMap((row) => row.bars);
  if (bars.length === 0) return null;
  return {
    from: bars.reduce((least, { from }) => Math.min(least, from), Infinity),
    to: bars.reduce((most, { to }) => Math.max(most, to), -Infinity),
  };
}
