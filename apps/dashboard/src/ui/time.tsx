import type { ReactNode } from 'react';
import { clockTime, countdown, duration, localTime, longDuration } from '#shared/domain/words';
import { useNow } from './now';

/** A time as the reader's clock has it, with the exact one in UTC on hover; the day only where it is another one. */
export function Time({ at }: { readonly at: string | null }): ReactNode {
  if (at === null) return <span className="quiet">–</span>;
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return (
    <time dateTime={at} title={at}>
      {isToday ? clockTime(at) : localTime(at)}
    </time>
  );
}

/** How long ago: `12 s ago`. */
export function Ago({ at }: { readonly at: string | null }): ReactNode {
  const now = useNow();
  if (at === null) return <span className="quiet">–</span>;
  const ms = now - Date.parse(at);
  return (
    <time dateTime={at} title={at}>
      {ms < 1_000 ? 'just now' : `${longDuration(ms)} ago`}
    </time>
  );
}

/** How far off a time is, counted down: `in 12s`; `now` once it has come. */
export function Countdown({ to }: { readonly to: string | null }): ReactNode {
  const now = useNow();
  if (to === null) return <span className="quiet">–</span>;
  return (
    <time dateTime={to} title={to} className="countdown">
      {countdown(to, now)}
    </time>
  );
}

/** How long something has taken, counted up while it goes on. */
export function Took({
  ms,
  since,
  isOn,
}: {
  readonly ms: number | null;
  readonly since: string | null;
  readonly isOn: boolean;
}): ReactNode {
  const now = useNow();
  if (isOn && since !== null) return <span>{duration(Math.max(0, now - Date.parse(since)))}</span>;
  return ms === null ? <span className="quiet">–</span> : <span>{duration(ms)}</span>;
}
