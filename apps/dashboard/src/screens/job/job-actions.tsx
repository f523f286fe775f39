import { useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import { address, call } from '../../api/client';
import { apiKey } from '../../api/key';
import { jobPath, useChange } from '../../api/queries';
import { useStore } from '../../api/store';
import { Reschedule } from '../../ui/reschedule';
import { Action, Copy } from '../../ui/actions';
import { cliLine, curlLine } from '../../ui/shell';
import { commandsFor, whyNot } from './commands';
import { Fold } from './fold';

interface JobActionsProps {
  readonly job: JobView;
  /** The selected step. */
  readonly step: string | null;
}

/** What can be done to the job. What cannot be done now says why. */
export function JobActions({ job, step }: JobActionsProps): ReactNode {
  const change = useChange<JobView>();
  const not = whyNot(job, step);
  const post = (action: string, body?: unknown) => () => change.mutateAsync({ path: jobPath(job.id, action), body });
  return (
    <section className="panel" aria-label="Actions">
      <div className="buttons">
        <Action
          label="Cancel"
          kind="danger"
          question="Its steps are stopped, and what they have not finished is lost. That cannot be undone; a retry begins them again."
          disabled={not.cancel !== null}
          hint={not.cancel ?? 'Stops it.'}
          onDo={post('cancel')}
          done="It is being cancelled."
        />
        <Action
          label="Retry"
          disabled={not.retry !== null}
          hint={not.retry ?? 'Goes on with the steps that are not completed.'}
          onDo={post('retry')}
          done="It goes on."
        />
        <Action
          label={step === null ? 'Retry from a step' : `Retry from ${step}`}
          question={`${step ?? 'The step'} and every step that needs it run again, also those that are completed.`}
          disabled={not.retryFrom !== null}
          hint={not.retryFrom ?? 'Runs it and what needs it again.'}
          onDo={post('retry', { from_step: step })}
          done={`It goes on from ${step ?? 'there'}.`}
        />
        {not.reschedule === null && <Scheduled job={job} />}
        <Link className="button" href={address('/submit', { from: job.id })}>
          Submit again…
        </Link>
        <DeleteAction job={job} reason={not.delete} />
      </div>
      <Commands job={job} step={step} />
    </section>
  );
}

function Scheduled({ job }: { readonly job: JobView }): ReactNode {
  const change = useChange<JobView>();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <Action
        label="Run now"
        kind="main"
        hint="Starts it without waiting for its time."
        onDo={() => change.mutateAsync({ path: jobPath(job.id, 'reschedule'), body: { countdown: 0 } })}
        done="It starts now."
      />
      <button type="button" onClick={() => setOpen(true)}>
        Reschedule…
      </button>
      {isOpen && <Reschedule job={job} onClose={() => setOpen(false)} />}
    </>
  );
}

/** Leaves the screen before anything is read again: the job is not there any more. */
function DeleteAction({ job, reason }: { readonly job: JobView; readonly reason: string | null }): ReactNode {
  const client = useQueryClient();
  const [, navigate] = useLocation();
  return (
    <Action
      label="Delete"
      kind="danger"
      question="The job, its attempts, outputs and logs are deleted. That cannot be undone."
      disabled={reason !== null}
      hint={reason ?? 'Deletes it and all that belongs to it.'}
      done="It is deleted."
      onDo={async () => {
        await call(jobPath(job.id), { method: 'DELETE' });
        navigate('/jobs');
        void client.invalidateQueries();
      }}
    />
  );
}

/** The same for a terminal. */
function Commands({ job, step }: JobActionsProps): ReactNode {
  const withKey = useStore(apiKey) !== '';
  return (
    <div className="job-commands">
      <Fold title="Copy as a command">
        {() => (
          <ul>
            {commandsFor(job, step).map(({ label, args, method, path, body }) => (
              <li key={label}>
                <span>{label}</span>
                <Copy label="as CLI" text={cliLine(args, location.origin)} />
                <Copy label="as curl" text={curlLine({ method, url: `${location.origin}${path}`, body, withKey })} />
              </li>
            ))}
          </ul>
        )}
      </Fold>
    </div>
  );
}
