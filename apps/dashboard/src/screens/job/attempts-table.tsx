import { type ReactNode, useState } from 'react';
import type { AttemptView } from '#shared/contracts/job';
import { counted, duration, figure } from '#shared/domain/words';
import { Time, Took } from '../../ui/time';
import { LongText } from './fold';
import { OUTCOME_SIGNS } from './outcome';

const SHOWN = 30;
const COLUMNS = ['Step', 'Number', 'Outcome', 'Started', 'Duration', 'CPU', 'Memory', 'Next delay', 'Worker', 'Error'];
const FIGURES = new Set(['Number', 'Duration', 'CPU', 'Memory', 'Next delay']);

/** Attempts, the newest first. @param step only of this one; null: of all */
export function AttemptsTable({
  attempts,
  step,
}: {
  readonly attempts: readonly AttemptView[];
  readonly step: string | null;
}): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const wanted = attempts
    .filter((attempt) => step === null || attempt.step === step)
    .toSorted((a, b) => b.started_at.localeCompare(a.started_at) || b.number - a.number);
  const shown = isWhole ? wanted : wanted.slice(0, SHOWN);
  if (wanted.length === 0) return <p className="quiet">{step === null ? 'None' : `None of ${step}`} has begun yet.</p>;
  return (
    <>
      <div className="scroll" tabIndex={0} role="region" aria-label="Attempts, table">
        <table>
          <caption>
            {counted(wanted.length, 'attempt')} of {step ?? 'all steps'}, the newest first
          </caption>
          <thead>
            <tr>
              {COLUMNS.map((name) => (
                <th key={name} scope="col" className={FIGURES.has(name) ? 'right' : undefined}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((attempt) => (
              <AttemptRow key={`${attempt.step}\n${attempt.number}`} attempt={attempt} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < wanted.length && (
        <button type="button" onClick={() => setWhole(true)}>
          Show all {wanted.length}
        </button>
      )}
    </>
  );
}

function AttemptRow({ attempt }: { readonly attempt: AttemptView }): ReactNode {
  const { outcome, error } = attempt;
  return (
    <tr>
      <td>{attempt.step}</td>
      <td className="right">{attempt.number}</td>
      <td className={`job-outcome job-outcome-${outcome ?? 'running'}`}>
        {outcome === null ? '▶ running' : `${OUTCOME_SIGNS[outcome]} ${outcome}`}
      </td>
      <td>
        <Time at={attempt.started_at} />
      </td>
      <td className="right">
        <Took ms={attempt.duration_ms} since={attempt.started_at} isOn={attempt.finished_at === null} />
      </td>
      <td className="right">{figure(attempt.cpu_percent, ' %')}</td>
      <td className="right">{figure(attempt.memory_mb, ' MB')}</td>
      <td className="right">{attempt.next_delay_ms === null ? '–' : duration(attempt.next_delay_ms)}</td>
      <td className="job-worker">{attempt.worker ?? '–'}</td>
      <td className="job-wide">
        {error === null ? (
          <span className="quiet">–</span>
        ) : (
          <>
            <span className="job-kind">
              {error.kind}
              {error.code !== null && ` (${error.code})`}
            </span>{' '}
            <LongText text={error.message} />
          </>
        )}
      </td>
    </tr>
  );
}
