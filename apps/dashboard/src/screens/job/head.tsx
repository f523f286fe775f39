import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';
import { localTime } from '#shared/domain/words';
import { address } from '../../api/client';
import { Copy } from '../../ui/actions';
import { Progress, Retries, Status } from '../../ui/status';
import { Ago, Countdown, Time, Took } from '../../ui/time';
import { DependsOn } from './depends-on';
import { ErrorWords, LongText } from './fold';

/** What the job is and how it stands. */
export function Head({ job }: { readonly job: JobView }): ReactNode {
  const { id, pipeline, status } = job;
  return (
    <section className="panel" aria-label="The job">
      <p className="job-back">
        <Link href="/jobs">← Jobs</Link>
      </p>
      <h1 className="job-title">
        <Status of={status} /> <span className="job-text">{pipeline}</span>
      </h1>
      <p className="job-id">
        <span className="id">{id}</span> <Copy label="Copy id" text={id} />
      </p>
      {status === 'scheduled' && job.eta !== null && (
        <p className="job-held">
          It starts{' '}
          <strong>
            <Countdown to={job.eta} />
          </strong>
          , at <Time at={job.eta} />.
        </p>
      )}
      {job.description !== null && job.description !== '' && (
        <div className="job-description">
          <LongText text={job.description} />
        </div>
      )}
      <Facts job={job} />
      {job.depends_on.length > 0 && <DependsOn job={job} />}
      {job.last_error !== null && <LastError job={job} />}
    </section>
  );
}

function Facts({ job }: { readonly job: JobView }): ReactNode {
  return (
    <dl className="facts">
      <Fact name="Progress">
        <Progress value={job.progress} label="Progress of the job" />
      </Fact>
      <Fact name="Duration">
        <Took ms={job.duration_ms} since={job.started_at} isOn={job.started_at !== null && !isEnded(job.status)} />
      </Fact>
      <Fact name="Retries of its steps">
        <Retries count={job.retry_count} />
      </Fact>
      <Fact name="At work on">
        {job.current_steps.length === 0 ? <span className="quiet">–</span> : job.current_steps.join(', ')}
      </Fact>
      <Fact name="Created">
        <Time at={job.created_at} />{' '}
        <span className="quiet">
          (<Ago at={job.created_at} />)
        </span>
      </Fact>
      <Fact name="Started">
        <Time at={job.started_at} />
      </Fact>
      <Fact name="Ended">
        <Time at={job.completed_at} />
      </Fact>
      {job.eta !== null && (
        <Fact name="To start at">
          <time dateTime={job.eta} title={job.eta}>
            {localTime(job.eta)}
          </time>
          {job.countdown !== null && <span className="quiet"> (countdown of {job.countdown} s)</span>}
        </Fact>
      )}
      <Fact name="Priority">{job.priority}</Fact>
      <Source job={job} />
      {job.tags.length > 0 && (
        <Fact name="Tags">
          {job.tags.map((tag) => (
            <Link key={tag} className="job-tag" href={address('/jobs', { tag })}>
              {tag}
            </Link>
          ))}
        </Fact>
      )}
      {job.schedule_id !== null && (
        <Fact name="Made by the schedule">
          <Link className="id" href="/scheduled">
            {job.schedule_id}
          </Link>
        </Fact>
      )}
      {job.idempotency_key !== null && <Fact name="Idempotency key">{job.idempotency_key}</Fact>}
    </dl>
  );
}

function Source({ job: { source, source_type, branch, commit } }: { readonly job: JobView }): ReactNode {
  if (source === null) return null;
  return (
    <Fact name={source_type === 'git_url' ? 'Source (git)' : 'Source (folder)'}>
      <code>{source}</code>
      {branch !== null && <span> branch {branch}</span>}
      {commit !== null && (
        <span title={commit}>
          {' '}
          commit <code>{commit.slice(0, 12)}</code>
        </span>
      )}
    </Fact>
  );
}

/** A step's, or one of the job itself, as when a job failed that it depends on. */
function LastError({ job: { last_error: error, steps, status } }: { readonly job: JobView }): ReactNode {
  if (error === null) return null;
  const step = steps.find(({ last_error }) => last_error?.at === error.at && last_error.message === error.message);
  return (
    <div className="job-last-error">
      <h2>
        Last error{step && <> in {step.name}</>}
        {status === 'completed' && <span className="quiet"> (it was got over)</span>}
      </h2>
      <ErrorWords error={error} isWhole />
    </div>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): ReactNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
