import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import type { ScheduleView } from '#shared/contracts/schedule';
import { counted } from '#shared/domain/words';
import { useChange } from '../../api/queries';
import { Action, say } from '../../ui/actions';
import { Status } from '../../ui/status';
import { Countdown, Time } from '../../ui/time';
import { CATCH_UP_WORDS, isErrorNews, OVERLAP_WORDS, scheduleName } from './words';

/** One recurring schedule. */
export function Schedule({ schedule }: { readonly schedule: ScheduleView }): ReactNode {
  const { pipeline, source } = schedule.job;
  return (
    <article className="schedule" id={`schedule-${schedule.id}`}>
      <div className="heading">
        <h3>
          {scheduleName(schedule)} {!schedule.enabled && <span className="tag">disabled</span>}
        </h3>
        <Actions schedule={schedule} />
      </div>
      <p>
        {schedule.cron_text} <span className="quiet">in {schedule.timezone}</span> <code>{schedule.cron}</code>
        <span className="quiet">
          {' '}
          · {typeof pipeline === 'string' && pipeline}
          {typeof source === 'string' && ` · ${source}`}
        </span>
      </p>
      <dl className="facts">
        <NextRuns schedule={schedule} />
        <LastJobs schedule={schedule} />
        <div>
          <dt>When the last job still runs</dt>
          <dd>
            {OVERLAP_WORDS[schedule.overlap]} <span className="quiet">({schedule.overlap})</span>
          </dd>
          <dt>After an outage</dt>
          <dd>
            {CATCH_UP_WORDS[schedule.catch_up]} <span className="quiet">({schedule.catch_up})</span>
          </dd>
        </div>
        <Left schedule={schedule} />
      </dl>
    </article>
  );
}

function NextRuns({ schedule }: { readonly schedule: ScheduleView }): ReactNode {
  const [next, ...later] = schedule.next_runs;
  return (
    <div>
      <dt>Next runs</dt>
      {next === undefined ? (
        <dd>{schedule.enabled ? 'none: it will not run again' : 'none while it is disabled'}</dd>
      ) : (
        <dd>
          <strong>
            <Countdown to={next} />
          </strong>
          : <Time at={next} />
          <ul className="times quiet">
            {later.map((at) => (
              <li key={at}>
                <Time at={at} />
              </li>
            ))}
          </ul>
        </dd>
      )}
    </div>
  );
}

function LastJobs({ schedule }: { readonly schedule: ScheduleView }): ReactNode {
  return (
    <div>
      <dt>Last jobs</dt>
      <dd>
        {schedule.last_jobs.length === 0 && <span className="quiet">none yet</span>}
        <ul className="times">
          {schedule.last_jobs.map((job, nth) => (
            <li key={job.id}>
              <Link className={nth === 0 ? 'row' : undefined} href={`/jobs/${job.id}`}>
                <Time at={job.due_at ?? job.created_at} />
              </Link>{' '}
              <Status of={job.status} /> {job.due_at === null && <span className="quiet">by hand</span>}
            </li>
          ))}
        </ul>
      </dd>
    </div>
  );
}

/** What was not run. */
function Left({ schedule }: { readonly schedule: ScheduleView }): ReactNode {
  const { skipped_count, last_skipped_at, missed_count, last_error } = schedule;
  return (
    <div>
      <dt>Not run</dt>
      <dd>
        {skipped_count > 0 ? (
          <>
            {counted(skipped_count, 'run')} skipped, the last one due <Time at={last_skipped_at} />
          </>
        ) : (
          'none skipped'
        )}
        , {missed_count > 0 ? `${missed_count} missed` : 'none missed'}
      </dd>
      {last_error !== null && (
        <>
          <dt>Last error</dt>
          <dd className={isErrorNews(schedule) ? 'trouble' : 'quiet'}>
            ✕ <Time at={last_error.due_at} />: {last_error.message}
          </dd>
        </>
      )}
    </div>
  );
}

function Actions({ schedule }: { readonly schedule: ScheduleView }): ReactNode {
  const change = useChange<JobView>();
  const path = `/v1/schedules/${encodeURIComponent(schedule.id)}`;
  const run = async (): Promise<void> => {
    const job = await change.mutateAsync({ path: `${path}/run` });
    say(`Job ${job.id} has been submitted.`);
  };
  return (
    <span className="buttons">
      <Action label="Run now" onDo={run} hint="Submits a job of this schedule, out of turn" />
      <Action
        label={schedule.enabled ? 'Disable' : 'Enable'}
        onDo={() => change.mutateAsync({ path, method: 'PATCH', body: { enabled: !schedule.enabled } })}
        done={schedule.enabled ? 'Disabled: it makes no more jobs.' : 'Enabled.'}
      />
      <Action
        label="Delete"
        kind="danger"
        question={`Delete the schedule "${scheduleName(schedule)}"? Its jobs stay, those that run too.`}
        onDo={() => change.mutateAsync({ path, method: 'DELETE' })}
        done="The schedule is deleted."
      />
    </span>
  );
}
