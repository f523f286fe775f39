import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Ago } from '../../ui/time';
import type { Problem } from './worth-a-look';

interface ProblemsProps {
  readonly problems: readonly Problem[];
  /** Whether everything has been looked at. */
  readonly isComplete: boolean;
}

/** What needs a look, each with the way to its list. */
export function Problems({ problems, isComplete }: ProblemsProps): ReactNode {
  if (problems.length === 0)
    return isComplete ? (
      <p className="all-well">
        <span aria-hidden="true">✓</span> Nothing needs a look: no dead letters, no failing pipelines, no late or long
        waiting steps.
      </p>
    ) : (
      <p className="quiet" role="status">
        Looking…
      </p>
    );
  return (
    <ul className="problems">
      {problems.map(({ key, weight, what, more, when, href }) => (
        <li key={key} className={`problem problem-${weight}`}>
          <span className="problem-sign" aria-hidden="true">
            {weight === 'bad' ? '✕' : '!'}
          </span>
          <div>
            <Link href={href} className="row">
              <span className="chart-hidden">{weight === 'bad' ? 'Problem: ' : 'Warning: '}</span>
              {what}
            </Link>
            {(more !== '' || when) && (
              <div className="quiet">
                {more}
                {when && (
                  <>
                    {more === '' ? '' : '; '}
                    {when.word} <Ago at={when.at} />
                  </>
                )}
              </div>
            )}
          </div>
        </li>
      ))}
    </ul>
  );
}
