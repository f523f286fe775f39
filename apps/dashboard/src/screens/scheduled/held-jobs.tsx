import { type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import type { JobPage, JobView } from '#shared/contracts/job';
import { jobPath, useChange, usePages } from '../../api/queries';
import { Action } from '../../ui/actions';
import { Empty, Failed, Loading } from '../../ui/states';
import { useStill } from '../../ui/still';
import { Countdown, Time } from '../../ui/time';
import { More } from '../../ui/more';
import { Reschedule } from '../../ui/reschedule';

/** Jobs that are held until their time, the first to start at the top. */
export function HeldJobs(): ReactNode {
  const pages = usePages<JobPage>('/v1/ingest', { status: 'scheduled', sort: 'eta' }, 5_000);
  const jobs = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  const { rows, hold } = useStill(jobs, ({ id }) => id);
  return (
    <section className="panel" aria-labelledby="held-jobs">
      <h2 id="held-jobs">Jobs with a time</h2>
      {pages.isPending && <Loading what="the jobs" />}
      {pages.error && !pages.data && <Failed error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.data && rows.length === 0 && (
        <Empty title="No job is held for a later time.">
          <p>
            <Link href="/submit">Submit one</Link> with a start time or a countdown.
          </p>
        </Empty>
      )}
      <ul className="list held" {...hold}>
        {rows.map(({ value, isGone }) => (
          <li key={value.id} className={isGone ? 'gone' : undefined}>
            <span>
              <Time at={value.eta} />
              <br />
              <span className="quiet">{isGone ? 'not held any more' : <Countdown to={value.eta} />}</span>
            </span>
            <Job job={value} />
            <Actions job={value} />
          </li>
        ))}
      </ul>
      <More pages={pages} />
    </section>
  );
}

/** Which job it is, and what it runs on. */
export function Job({ job }: { readonly job: JobView }): ReactNode {
  return (
    <span>
      <Link className="row id" href={`/jobs/${job.id}`}>
        {job.id}
      </Link>
      <br />
      {job.pipeline}
      {job.source !== null && <span className="quiet"> · {job.source}</span>}
      {job.description !== null && <span> · {job.description}</span>}
      {job.tags.map((tag) => (
        <span key={tag}>
          {' '}
          <span className="tag">{tag}</span>
        </span>
      ))}
      {job.schedule_id !== null && <span className="quiet"> · of a schedule</span>}
    </span>
  );
}

function Actions({ job }: { readonly job: JobView }): ReactNode {
  const change = useChange<JobView>();
  const [isMoving, setMoving] = useState(false);
  return (
    <span className="buttons">
      <Action
        label="Run now"
        onDo={() => change.mutateAsync({ path: jobPath(job.id, 'reschedule'), body: { countdown: 0 } })}
        done="The job starts now."
      />
      <button type="button" onClick={() => setMoving(true)}>
        Reschedule
      </button>
      <CancelJob job={job} />
      {isMoving && <Reschedule job={job} onClose={() => setMoving(false)} />}
    </span>
  );
}

export function CancelJob({ job }: { readonly job: JobView }): ReactNode {
  const change = useChange<JobView>();
  return (
    <Action
      label="Cancel"
      kind="danger"
      question={`Cancel the job ${job.id} of ${job.pipeline}? It will not run.`}
      onDo={() => change.mutateAsync({ path: jobPath(job.id, 'cancel') })}
      done="The job is cancelled."
    />
  );
}
