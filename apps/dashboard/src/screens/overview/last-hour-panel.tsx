import { type ReactNode, useMemo } from 'react';
import type { ResourceHistory } from '#shared/contracts/resource-history';
import { Chart } from '../../ui/chart';
import { said } from '../../ui/chart-words';
import { Failed, Loading } from '../../ui/states';
import { count, seconds } from '../resources/step-rows';
import { lastHourOf } from './last-hour';

interface LastHourProps {
  readonly history: ResourceHistory | null;
  readonly error: Error | null;
  readonly onRetry: () => void;
}

/** What the last hour came to, and how it went. */
export function LastHour({ history, error, onRetry }: LastHourProps): ReactNode {
  return (
    <section className="panel" aria-labelledby="hour">
      <h2 id="hour">
        The last hour {history?.stale && <span className="quiet">(as it was known last: the database is away)</span>}
      </h2>
      {history ? (
        <Figures history={history} />
      ) : error ? (
        <Failed error={error} onRetry={onRetry} />
      ) : (
        <Loading what="the last hour" />
      )}
    </section>
  );
}

function Figures({ history }: { readonly history: ResourceHistory }): ReactNode {
  const { hour, ends, times } = useMemo(() => chartsOf(history), [history]);
  if (hour.timesMs.length === 0) return <p className="quiet">Nothing is known of it.</p>;
  const { failureShare } = hour;
  return (
    <>
      <dl className="facts hour-facts">
        <div>
          <dt>runs of jobs that ended</dt>
          <dd>
            <strong>{count(hour.ended)}</strong> <span className="quiet">({hour.perMinute.toFixed(1)} per minute)</span>
          </dd>
        </div>
        <div>
          <dt>of them failed</dt>
          <dd className={failureShare !== null && failureShare > 0 ? 'retried' : ''}>
            <strong>{failureShare === null ? '–' : `${(failureShare * 100).toFixed(1)} %`}</strong>
          </dd>
        </div>
        <div>
          <dt>wait, p95</dt>
          <dd title="from when a job could begin to its first step; 95 % waited no longer">
            <strong>{said(history.wait_seconds_p95, seconds)}</strong>
          </dd>
        </div>
        <div>
          <dt>run time, p95</dt>
          <dd title="from a job's start to its end; 95 % took no longer">
            <strong>{said(history.duration_seconds_p95, seconds)}</strong>
          </dd>
        </div>
      </dl>
      <div className="columns">
        <Chart title="Jobs that ended, per minute" timesMs={hour.timesMs} lines={ends} format={count} whole />
        <Chart title="Wait and run time of jobs, p95" timesMs={hour.timesMs} lines={times} format={seconds} />
      </div>
    </>
  );
}

function chartsOf(history: ResourceHistory) {
  const hour = lastHourOf(history);
  const { completed, failed, cancelled, waitSeconds, runSeconds } = hour;
  return {
    hour,
    ends: [
      { label: 'completed', tone: 'good', values: completed },
      { label: 'failed', tone: 'bad', values: failed },
      { label: 'cancelled', tone: 'held', values: cancelled },
    ] as const,
    times: [
      { label: 'run time', tone: 'accent', values: runSeconds },
      { label: 'wait', tone: 'warn', values: waitSeconds },
    ] as const,
  };
}
