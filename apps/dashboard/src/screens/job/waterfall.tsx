import { Fragment, type ReactNode, useState } from 'react';
import type { AttemptView, JobView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';
import { clockTime, duration, figure } from '#shared/domain/words';
import { useNow } from '../../ui/now';
import { timeScale, type TimeScale } from './time-scale';
import { type Bar, barsOf, rangeOf } from './waterfall-bars';
import { OUTCOME_SIGNS } from './outcome';

interface WaterfallProps {
  readonly job: JobView;
  readonly attempts: readonly AttemptView[];
  readonly selected: string | null;
  readonly onSelect: (step: string) => void;
}

/** Every attempt of every step over time. What goes on grows. */
export function Waterfall(props: WaterfallProps): ReactNode {
  return isEnded(props.job.status) ? <Chart {...props} nowMs={0} /> : <Growing {...props} />;
}

function Growing(props: WaterfallProps): ReactNode {
  return <Chart {...props} nowMs={useNow()} />;
}

function Chart({ job, attempts, selected, onSelect, nowMs }: WaterfallProps & { readonly nowMs: number }): ReactNode {
  const [told, setTold] = useState<string | null>(null);
  const rows = barsOf(job, attempts, nowMs);
  const range = rangeOf(rows);
  if (!range) return <p className="quiet">No step has begun yet.</p>;
  const scale = timeScale(rows.flatMap(({ bars }) => bars));
  return (
    <>
      <div className="job-waterfall" tabIndex={0} role="group" aria-label="Attempts over time">
        <div className="job-waterfall-room">
          <Axis scale={scale} from={range.from} />
          {rows.map(({ step, bars }) => (
            <Fragment key={step.name}>
              <span className={step.name === selected ? 'job-lane-name job-lane-selected' : 'job-lane-name'}>
                {step.name}
              </span>
              <div className={step.name === selected ? 'job-lane job-lane-selected' : 'job-lane'}>
                <Cuts scale={scale} />
                {bars.map((bar) => {
                  const words = wordsOf(bar, step.name);
                  const left = scale.at(bar.from);
                  return (
                    <button
                      key={`${bar.kind}${bar.from}`}
                      type="button"
                      className={barClass(bar)}
                      aria-label={words}
                      title={words}
                      style={{ left: `min(${left * 100}%, 100% - 4px)`, width: `${(scale.at(bar.to) - left) * 100}%` }}
                      onMouseEnter={() => setTold(words)}
                      onFocus={() => setTold(words)}
                      onClick={() => onSelect(step.name)}
                    >
                      <span aria-hidden="true">{labelOf(bar)}</span>
                    </button>
                  );
                })}
              </div>
            </Fragment>
          ))}
        </div>
      </div>
      <p className="job-told">{told ?? 'Point at a bar, or move to it with Tab, to read what it was.'}</p>
      <Legend hasCuts={scale.cuts.length > 0} />
    </>
  );
}

function Axis({ scale, from }: { readonly scale: TimeScale; readonly from: number }): ReactNode {
  return (
    <>
      <span className="job-lane-name quiet" title={new Date(from).toISOString()}>
        from {clockTime(new Date(from).toISOString())}
      </span>
      <div className="job-axis">
        {scale.ticks.map(({ at, afterMs }) => (
          <span
            key={afterMs}
            className={at > 0.94 ? 'job-tick job-tick-last' : 'job-tick'}
            style={{ left: `${at * 100}%` }}
            title={new Date(from + afterMs).toISOString()}
          >
            +{tickWords(afterMs)}
          </span>
        ))}
        <Cuts scale={scale} isNamed />
      </div>
    </>
  );
}

/** `0s`, `500ms`, `10s`, `5m 00s`: without the tenths that no tick has. */
const tickWords = (ms: number): string => (ms === 0 ? '0s' : duration(ms).replace('.0s', 's'));

function Cuts({ scale, isNamed = false }: { readonly scale: TimeScale; readonly isNamed?: boolean }): ReactNode {
  return scale.cuts.map(({ at, ms }) => (
    <span key={at} className="job-cut" style={{ left: `${at * 100}%` }} title={`Nothing for ${duration(ms)}`}>
      {isNamed ? '⋯' : ''}
    </span>
  ));
}

function Legend({ hasCuts }: { readonly hasCuts: boolean }): ReactNode {
  return (
    <ul className="job-legend" aria-label="Legend">
      <li>
        <span className="job-key job-bar-waiting" /> waiting: ready, and not begun
      </li>
      <li>
        <span className="job-key job-bar-running" /> running
      </li>
      <li>
        <span className="job-key job-bar-completed" /> {OUTCOME_SIGNS.completed} completed
      </li>
      <li>
        <span className="job-key job-bar-failed" /> {OUTCOME_SIGNS.failed} failed, {OUTCOME_SIGNS.timeout} timed out,{' '}
        {OUTCOME_SIGNS.crashed} crashed
      </li>
      <li>
        <span className="job-key job-bar-cancelled" /> {OUTCOME_SIGNS.cancelled} cancelled
      </li>
      <li>
        <span className="job-key job-bar-back_off" /> back-off before the next attempt
      </li>
      {hasCuts && <li>⋯ a long pause, cut out</li>}
    </ul>
  );
}

function barClass({ kind, attempt, isOpen }: Bar): string {
  const shape = kind === 'running' ? outcomeClass(attempt, isOpen) : `job-bar-${kind}`;
  return `job-bar ${shape}${isOpen ? ' job-bar-open' : ''}`;
}

function outcomeClass(attempt: AttemptView | null, isOpen: boolean): string {
  const outcome = attempt?.outcome ?? null;
  if (isOpen || outcome === null) return 'job-bar-running';
  return outcome === 'timeout' || outcome === 'crashed' ? 'job-bar-failed' : `job-bar-${outcome}`;
}

function labelOf({ kind, attempt }: Bar): string {
  if (kind === 'waiting') return 'wait';
  if (kind === 'back_off') return 'back-off';
  if (!attempt) return '';
  const sign = attempt.outcome === null ? '▶' : OUTCOME_SIGNS[attempt.outcome];
  return `${sign} ${attempt.number}`;
}

/** The whole of what is known of it, in a sentence. */
function wordsOf({ kind, attempt, from, to, isOpen }: Bar, step: string): string {
  const long = `${duration(to - from)}${isOpen ? ' so far' : ''}`;
  if (kind === 'waiting') return `${step}: wait of ${long}, ready and not begun`;
  if (kind === 'back_off') return `${step}: back-off after attempt ${attempt?.number ?? ''}, ${long}`;
  if (!attempt) return step;
  const { number, outcome, worker, duration_ms, cpu_percent, memory_mb, error } = attempt;
  const parts = [
    `${step}: attempt ${number}, ${outcome ?? (isOpen ? 'running' : 'ended')}`,
    duration_ms === null ? long : duration(duration_ms),
    `CPU ${figure(cpu_percent, ' %')}`,
    `memory ${figure(memory_mb, ' MB')}`,
    `worker ${worker ?? '-'}`,
  ];
  if (error) parts.push(`${error.kind}: ${error.message.slice(0, 300)}`);
  return parts.join(' · ');
}
