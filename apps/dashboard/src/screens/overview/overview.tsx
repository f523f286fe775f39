import './overview.css';
import { type ReactNode, useEffect, useMemo } from 'react';
import { Link } from 'wouter';
import type { JobPage } from '#shared/contracts/job';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { JOB_STATUSES } from '#shared/domain/status';
import { serverTimeOf } from '../../api/clock';
import { useDeadLetterGroups, useRead, useResourceHistory, useResourceStatus } from '../../api/queries';
import { createStore, useStore } from '../../api/store';
import { useRowKeys } from '../../ui/keys';
import { Empty, Failed, Loading } from '../../ui/states';
import { Status } from '../../ui/status';
import { Fleet } from './fleet';
import { LastHour } from './last-hour-panel';
import { Problems } from './problems';
import { worthALook } from './worth-a-look';

/** When the figures last were not stale, as far as this page has seen; also while another screen was shown. */
const freshAt = createStore<number | null>(null);

/** How all does, and what needs a look. */
export function Overview(): ReactNode {
  const status = useResourceStatus();
  const history = useResourceHistory();
  const problems = useProblems(status, history.data?.stale ?? false);
  useRowKeys('.row');
  if (!status.data) {
    return (
      <>
        <h1>Overview</h1>
        {status.error ? (
          <Failed error={status.error} onRetry={() => void status.refetch()} />
        ) : (
          <Loading what="how the fleet does" />
        )}
      </>
    );
  }
  const { jobs, stale } = status.data;
  const hasJobs = Object.values(jobs).some((count) => count > 0) || status.data.metrics.job_count > 0;
  return (
    <>
      <h1>Overview</h1>
      <section className="panel" aria-labelledby="look">
        <h2 id="look">Worth a look</h2>
        <Problems {...problems} />
      </section>
      {hasJobs ? (
        <>
          <Tiles jobs={jobs} />
          <LastHour history={history.data ?? null} error={history.error} onRetry={() => void history.refetch()} />
        </>
      ) : (
        <section className="panel">
          <Empty title={stale ? 'No jobs are known just now.' : 'No jobs yet.'}>
            <p>
              {stale
                ? 'What there is will show here once it can be read.'
                : 'What runs, how long it takes and what fails will show here.'}
            </p>
            <Link href="/submit" className="button">
              Submit the first job
            </Link>
          </Empty>
        </section>
      )}
      <Fleet status={status.data} />
    </>
  );
}

/** How many jobs there are now, by status; each leads to their list. */
function Tiles({ jobs }: { readonly jobs: ResourceStatus['jobs'] }): ReactNode {
  return (
    <nav className="tiles job-tiles" aria-label="Jobs by status, now">
      {JOB_STATUSES.map((status) => (
        <Link key={status} href={`/jobs?status=${status}`} className="tile">
          <span className="tile-value">{(jobs[status] ?? 0).toLocaleString('en-US')}</span>
          <Status of={status} />
        </Link>
      ))}
    </nav>
  );
}

/** Reads what the rules want to know, and asks them. */
function useProblems(status: ReturnType<typeof useResourceStatus>, historyIsStale: boolean) {
  const deadLetters = useDeadLetterGroups();
  const scheduled = useRead<JobPage>('/v1/ingest', { status: 'scheduled', sort: 'eta', limit: 1 });
  const freshAtMs = useStore(freshAt);
  const { data, dataUpdatedAt } = status;
  useEffect(() => {
    if (data && !data.stale) freshAt.set(serverTimeOf(dataUpdatedAt));
  }, [data, dataUpdatedAt]);
  const problems = useMemo(
    () =>
      worthALook({
        ...{ status: data ?? null, deadLetters: deadLetters.data ?? null, freshAtMs, historyIsStale },
        firstDue: scheduled.data
          ? { eta: scheduled.data.items[0]?.eta ?? null, seenAtMs: serverTimeOf(scheduled.dataUpdatedAt) }
          : null,
        unread: [
          ...(deadLetters.error ? ['Dead letters'] : []),
          ...(scheduled.error ? ['Scheduled jobs'] : []),
          ...(status.error ? ['Figures of the fleet'] : []),
        ],
      }),
    [data, deadLetters.data, deadLetters.error, freshAtMs, historyIsStale, scheduled, status.error],
  );
  return { problems, isComplete: !deadLetters.isPending && !scheduled.isPending };
}
