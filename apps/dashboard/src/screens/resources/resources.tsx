import './resources.css';
import { type ReactNode, useEffect } from 'react';
import { Link } from 'wouter';
import type { ResourceHistory } from '#shared/contracts/resource-history';
import { useResourceHistory, useResourceStatus } from '../../api/queries';
import { useRowKeys } from '../../ui/keys';
import { Empty, Failed, Loading } from '../../ui/states';
import { PoolTable, QueueTable, WorkerTable } from './fleet-tables';
import { StepCharts } from './step-charts';
import { FIGURES, mostOf, type StepRow, stepRowsOf } from './step-rows';
import { StepTable } from './step-table';

/** What steps take and use, and what there is to run them. */
export function Resources(): ReactNode {
  const { data: status, error, refetch } = useResourceStatus();
  const history = useResourceHistory();
  useRowKeys('.row');
  const isRead = status !== undefined;
  useEffect(() => {
    // What the address points to is there only now.
    if (isRead && location.hash !== '') document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }, [isRead]);
  if (!status) {
    return (
      <>
        <h1>Resources</h1>
        {error ? <Failed error={error} onRetry={() => void refetch()} /> : <Loading what="what there is" />}
      </>
    );
  }
  const rows = stepRowsOf(status.metrics);
  return (
    <>
      <h1>Resources</h1>
      {status.stale && (
        <p className="panel" role="status">
          <strong className="retried">! These figures may be old:</strong> the metrics service does not answer.
        </p>
      )}
      {rows.length === 0 ? (
        <section className="panel">
          <Empty title="No attempt has ended in the last hour.">
            <p>What steps take and use will show here while they run.</p>
            <Link href="/submit" className="button">
              Submit a job
            </Link>
          </Empty>
        </section>
      ) : (
        <Steps rows={rows} />
      )}
      <Charts history={history.data} error={history.error} onRetry={() => void history.refetch()} />
      <section className="panel" aria-labelledby="queues">
        <h2 id="queues">Queues</h2>
        <QueueTable queues={status.queues} />
      </section>
      <section className="panel" aria-labelledby="tokens">
        <h2 id="tokens">Tokens and limits</h2>
        <PoolTable tokens={status.tokens} limits={status.limits} />
      </section>
      <section className="panel" aria-labelledby="workers">
        <h2 id="workers">Workers</h2>
        <WorkerTable workers={status.workers} />
      </section>
    </>
  );
}

/** What is asked first of steps, answered. */
const ANSWERS = [
  { says: 'slowest (p95)', column: 'p95' },
  { says: 'most memory', column: 'memoryMax' },
  { says: 'most CPU', column: 'cpuMax' },
  { says: 'most failures', column: 'failures' },
  { says: 'most retries', column: 'retries' },
] as const;

function Steps({ rows }: { readonly rows: readonly StepRow[] }): ReactNode {
  return (
    <section className="panel" aria-labelledby="steps">
      <h2 id="steps">Steps, in the last hour</h2>
      <dl className="facts answers">
        {ANSWERS.map(({ says, column }) => {
          const most = mostOf(rows, column);
          const format = FIGURES.find((each) => each.column === column)?.format ?? String;
          return (
            <div key={column}>
              <dt>{says}</dt>
              <dd>
                {most ? (
                  <>
                    {most.name} <strong className="number">{format(most[column] ?? 0)}</strong>
                  </>
                ) : (
                  <span className="quiet">none</span>
                )}
              </dd>
            </div>
          );
        })}
      </dl>
      <StepTable rows={rows} />
      <p className="quiet">
        A step that runs inline shares its worker: its CPU and memory are those of the whole worker. With{' '}
        <code>isolation: process</code>, and of a <code>command</code>, they are its own.
      </p>
    </section>
  );
}

interface ChartsProps {
  readonly history: ResourceHistory | undefined;
  readonly error: Error | null;
  readonly onRetry: () => void;
}

function Charts({ history, error, onRetry }: ChartsProps): ReactNode {
  if (history?.steps.length === 0 && !history.stale) return null;
  return (
    <section className="panel" aria-labelledby="charts">
      <h2 id="charts">
        Minute by minute {history?.stale && <span className="quiet">(as it was known last: the database is away)</span>}
      </h2>
      {history === undefined ? (
        error ? (
          <Failed error={error} onRetry={onRetry} />
        ) : (
          <Loading what="the last hour" />
        )
      ) : history.steps.length === 0 ? (
        <p className="quiet">Nothing is known of the last hour.</p>
      ) : (
        <StepCharts history={history} />
      )}
    </section>
  );
}
