import './job.css';
import { type ReactNode, useEffect, useState } from 'react';
import { Link } from 'wouter';
import type { JobView, StepView } from '#shared/contracts/job';
import { isEnded, type StepStatus } from '#shared/domain/status';
import { CallError } from '../../api/client';
import { useAttempts, useJob } from '../../api/queries';
import { useLiveJob } from '../../live/use-live';
import type { SocketState } from '../../live/socket';
import { useParameters } from '../../ui/address';
import { Json } from '../../ui/json';
import { Empty, Failed, Loading } from '../../ui/states';
import { STATUS_SIGNS } from '../../ui/status';
import { AttemptsTable } from './attempts-table';
import { Graph } from './graph';
import { Head } from './head';
import { JobActions } from './job-actions';
import { LiveState } from './live-state';
import { Logs } from './logs';
import { shownJob } from './shown-job';
import { StepsTable } from './steps-table';
import { Waterfall } from './waterfall';

/** One job with everything that is known of it, live. */
export function Job({ id }: { readonly id: string }): ReactNode {
  const { data: read, error, refetch } = useJob(id);
  const { live, state } = useLive(id, read);
  const job = shownJob(read, live);
  useTitle(job);
  if (error instanceof CallError && error.status === 404) return <Missing id={id} />;
  if (!job) return error ? <Failed error={error} onRetry={() => void refetch()} /> : <Loading what="the job" />;
  return (
    <>
      <LiveState state={state} hasEnded={isEnded(job.status)} />
      {error instanceof CallError && error.status !== 0 && (
        <p className="job-stale" role="alert">
          ⚠ It could not be read again ({error.message}); what you see is from before.
        </p>
      )}
      <Shown job={job} />
    </>
  );
}

/** The socket's job. It ends with the job: when that goes on after all, it is opened anew. */
function useLive(
  id: string,
  read: JobView | undefined,
): { readonly live: JobView | null; readonly state: SocketState } {
  const [run, setRun] = useState(0);
  const { job: live, state } = useLiveJob(id, run);
  const goesOn = state === 'over' && read && live && read.version > live.version && !isEnded(read.status);
  useEffect(() => {
    if (goesOn) setRun((number) => number + 1);
  }, [goesOn]);
  return { live, state };
}

/** Helps to find a job among many tabs. */
function useTitle(job: JobView | undefined): void {
  const title = job && `${STATUS_SIGNS[job.status]} ${job.pipeline} ${job.id.slice(-6)} · Sluice`;
  useEffect(() => {
    if (title === undefined) return undefined;
    // The frame sets the screen's title in the same go, after this.
    const timer = setTimeout(() => (document.title = title));
    return () => clearTimeout(timer);
  }, [title]);
}

function Missing({ id }: { readonly id: string }): ReactNode {
  return (
    <>
      <h1>No such job</h1>
      <Empty title="There is no job with this id.">
        <p>
          <span className="id job-text">{id}</span>
        </p>
        <p>It may have been deleted, by somebody or because it was old.</p>
        <Link href="/jobs">To the list of jobs</Link>
      </Empty>
    </>
  );
}

function Shown({ job }: { readonly job: JobView }): ReactNode {
  const [parameters, change] = useParameters();
  const attempts = useAttempts(job.id);
  const named = parameters.get('step');
  const step = job.steps.find(({ name }) => name === named) ?? null;
  const selected = step?.name ?? null;
  const select = (name: string): void => change({ step: name });
  const items = attempts.data?.items ?? [];
  return (
    <>
      <Head job={job} />
      <JobActions job={job} step={selected} />
      <section className="panel">
        <h2>Steps</h2>
        <Graph steps={job.steps} selected={selected} onSelect={select} />
        <Choice step={step} onClear={() => select('')} />
      </section>
      <section className="panel">
        <h2>Over time</h2>
        {attempts.error && !attempts.data ? (
          <Failed error={attempts.error} onRetry={() => void attempts.refetch()} />
        ) : (
          <Waterfall job={job} attempts={items} selected={selected} onSelect={select} />
        )}
      </section>
      <section className="panel">
        <h2>All steps</h2>
        <StepsTable steps={job.steps} selected={selected} onSelect={select} />
      </section>
      <section className="panel">
        <h2>Attempts{step && ` of ${step.name}`}</h2>
        <AttemptsTable attempts={items} step={selected} />
      </section>
      <section className="panel">
        <h2>Logs{step && ` of ${step.name}`}</h2>
        <Logs key={selected} id={job.id} step={selected} status={step?.status ?? anyStatus(job)} />
      </section>
      <Data job={job} />
    </>
  );
}

function Choice({ step, onClear }: { readonly step: StepView | null; readonly onClear: () => void }): ReactNode {
  if (!step) return <p className="quiet">Choose a step to see only its attempts and logs.</p>;
  return (
    <p>
      Attempts and logs are shown of <strong className="job-text">{step.name}</strong>.{' '}
      <button type="button" onClick={onClear}>
        Show all steps
      </button>
    </p>
  );
}

function Data({ job }: { readonly job: JobView }): ReactNode {
  return (
    <div className="columns">
      <section className="panel">
        <h2>Input</h2>
        <Json value={job.input} />
      </section>
      <section className="panel">
        <h2>Result</h2>
        {job.result === null ? (
          <p className="quiet">{isEnded(job.status) ? `None: it is ${job.status}.` : 'None yet.'}</p>
        ) : (
          <Json value={job.result} />
        )}
      </section>
    </div>
  );
}

const anyStatus = ({ steps, status }: JobView): StepStatus =>
  steps.some((step) => step.status === 'running') ? 'running' : isEnded(status) ? 'completed' : 'pending';
