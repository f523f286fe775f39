import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobPage, JobView } from '#shared/contracts/job';
import { counted } from '#shared/domain/words';
import { usePages } from '../../api/queries';
import { useLiveJobs } from '../../live/use-live';
import { Failed, Loading } from '../../ui/states';
import { Status } from '../../ui/status';
import { useStill } from '../../ui/still';
import { CancelJob, Job } from './held-jobs';
import { More } from '../../ui/more';

/** Jobs that are waited for and watched; of others only the id is shown. */
const MOST_WATCHED = 100;
/** Of one job; the others are counted. */
const MOST_SHOWN = 5;

/** Jobs that wait for other jobs, and what is the matter with those. */
export function WaitingJobs(): ReactNode {
  const pages = usePages<JobPage>('/v1/ingest', { status: 'waiting', sort: 'created_at' }, 5_000);
  const jobs = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  const { rows, hold } = useStill(jobs, ({ id }) => id);
  const watched = [...new Set(jobs.flatMap(({ depends_on }) => depends_on.slice(0, MOST_SHOWN)))];
  const others = useLiveJobs(watched.slice(0, MOST_WATCHED));
  return (
    <section className="panel" aria-labelledby="waiting-jobs">
      <h2 id="waiting-jobs">Jobs that wait for others</h2>
      {pages.isPending && <Loading what="the jobs" />}
      {pages.error && !pages.data && <Failed error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.data && rows.length === 0 && <p className="quiet">No job waits for another one.</p>}
      <ul className="list held" {...hold}>
        {rows.map(({ value, isGone }) => (
          <li key={value.id} className={isGone ? 'gone' : undefined}>
            <WaitsFor job={value} others={others.jobs} isGone={isGone} />
            <Job job={value} />
            <span className="buttons">
              <CancelJob job={value} />
            </span>
          </li>
        ))}
      </ul>
      <More pages={pages} />
    </section>
  );
}

function WaitsFor({
  job,
  others,
  isGone,
}: {
  readonly job: JobView;
  readonly others: ReadonlyMap<string, JobView>;
  readonly isGone: boolean;
}): ReactNode {
  const shown = job.depends_on.slice(0, MOST_SHOWN);
  const hidden = job.depends_on.length - shown.length;
  return (
    <span>
      <span className="quiet">
        {isGone ? 'waits no more for' : 'waits for'}
        {job.on_dependency_failure === 'run' && ', and runs though they fail'}
      </span>
      {shown.map((id) => {
        const other = others.get(id);
        return (
          <span key={id}>
            <br />
            <Link href={`/jobs/${id}`} title={id}>
              …{id.slice(-8)}
            </Link>{' '}
            {other && (
              <>
                {other.pipeline} <Status of={other.status} />
              </>
            )}
            {other?.status === 'running' && <span className="number"> {Math.floor(other.progress)} %</span>}
          </span>
        );
      })}
      {hidden > 0 && (
        <span className="quiet">
          <br />
          and {counted(hidden, 'other')}
        </span>
      )}
    </span>
  );
}
