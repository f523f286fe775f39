import { memo, type ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import { counted } from '#shared/domain/words';
import { Progress, Retries, Status } from '../../ui/status';
import { Countdown, Time, Took } from '../../ui/time';
import { isRetrying, shortId, tookMs } from './job-filter';

/**
 * A job in the list. Every row is as high as any other, whatever happens to its job: live changes move nothing.
 * @param hasLeft its status is no longer one that the list was asked for
 */
export const JobRow = memo(function JobRow({
  job,
  hasLeft,
}: {
  readonly job: JobView;
  readonly hasLeft: boolean;
}): ReactNode {
  const { id, pipeline, status, last_error: error, retry_count: retries, current_steps: steps } = job;
  const isOn = status === 'running' || status === 'cancelling';
  return (
    <tr className={hasLeft ? 'job has-left' : 'job'}>
      <td className="job-status">
        <Status of={status} />
        <Second>{hasLeft ? '≠ no match now' : isRetrying(job) && <Status of="retrying" />}</Second>
      </td>
      <td className="job-name">
        <Link className="row id" href={`/jobs/${id}`} title={id}>
          {shortId(id)}
        </Link>
        <Second>{job.priority === 'default' ? pipeline : `${pipeline} · ${job.priority}`}</Second>
      </td>
      <td className="job-what">
        <What job={job} />
      </td>
      <td className="job-progress">
        <Ahead job={job} />
        <Second>{isRetrying(job) ? <NextTry job={job} /> : steps.join(', ')}</Second>
      </td>
      <td className="job-retries right" data-label="Retries">
        <Retries count={retries} />
      </td>
      <td className="job-error">
        {error === null ? (
          <span className="quiet">–</span>
        ) : (
          <span className="two-lines" title={error.message}>
            {firstLine(error.message)}
          </span>
        )}
      </td>
      <td className="job-created right">
        <Time at={job.created_at} />
      </td>
      <td className="job-took right" data-label="Took">
        <Took ms={tookMs(job)} since={job.started_at} isOn={isOn} />
      </td>
    </tr>
  );
});

/** The second line of a cell, which is there whether or not it says anything. */
const Second = ({ children }: { readonly children: ReactNode }): ReactNode => (
  <span className="second" title={typeof children === 'string' ? children : undefined}>
    {children === false || children === '' ? '\u00a0' : children}
  </span>
);

function What({ job: { source, description, tags } }: { readonly job: JobView }): ReactNode {
  const [first, ...more] = [source, description].filter((text) => text !== null && text !== '');
  return (
    <>
      <span className="first" title={first ?? undefined}>
        {first ?? <span className="quiet">–</span>}
      </span>
      <span className="second" title={[...more, ...tags].join(' · ')}>
        {more.join('')}{' '}
        {tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
      </span>
    </>
  );
}

/** How far the job is, or what it waits for. */
function Ahead({ job: { id, status, eta, progress, depends_on: after } }: { readonly job: JobView }): ReactNode {
  if (status === 'scheduled' && eta !== null) {
    return (
      <span className="first">
        starts <Countdown to={eta} />
      </span>
    );
  }
  if (status === 'waiting') return <span className="first">after {counted(after.length, 'job')}</span>;
  return <Progress value={progress} label={`Progress of ${shortId(id)}`} />;
}

const firstLine = (text: string): string => text.trim().split('\n', 1)[0] ?? '';

/** When the first of the steps that are in back-off is tried again. */
function NextTry({ job: { steps } }: { readonly job: JobView }): ReactNode {
  const [next] = steps
    .filter(({ status, next_retry_at: at }) => status === 'retrying' && at !== null)
    .sort((a, b) => Date.parse(a.next_retry_at ?? '') - Date.parse(b.next_retry_at ?? ''));
  if (!next) return null;
  return (
    <>
      {next.name} again <Countdown to={next.next_retry_at} />
    </>
  );
}
