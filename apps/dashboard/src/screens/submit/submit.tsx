import './submit.css';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import { CallError } from '../../api/client';
import { apiKey } from '../../api/key';
import { useChange, useJob, usePipelines } from '../../api/queries';
import { createStore, useStore } from '../../api/store';
import { Copy, say } from '../../ui/actions';
import { Empty, Failed, Loading } from '../../ui/states';
import { submitCli, submitCurl } from './command-lines';
import { type Choice, chosenOf, type Draft, draftOf, EMPTY_DRAFT, type Fault, isAt, requestOf } from './draft';
import {
  AfterFields,
  InputField,
  LabelFields,
  OptionFields,
  PipelineField,
  SourceFields,
  StartFields,
  StepsField,
} from './fields';
import { fieldId, type Form } from './form';

/** Outside of the screen, so that it is still there when a key was asked for, or one has looked elsewhere. */
const draftStore = createStore<Draft>(EMPTY_DRAFT);

/** Submits a job. `?from=ID` begins with what that job was given. */
export function Submit(): ReactNode {
  const pipelines = usePipelines();
  const from = new URLSearchParams(useSearch()).get('from') ?? '';
  const choices = pipelines.data?.items;
  return (
    <>
      <h1>Submit a job</h1>
      {choices === undefined ? (
        pipelines.error ? (
          <Failed error={pipelines.error} onRetry={() => void pipelines.refetch()} />
        ) : (
          <Loading what="the pipelines" />
        )
      ) : choices.length === 0 ? (
        <Empty title="There are no pipelines.">They are told in the pipeline_config.yml of the gateway.</Empty>
      ) : from === '' ? (
        <SubmitForm choices={choices} />
      ) : (
        <FilledForm key={from} from={from} choices={choices} />
      )}
    </>
  );
}

/** The form with another job's fields in it; what has been changed since stays. */
function FilledForm({ from, choices }: { readonly from: string; readonly choices: readonly Choice[] }): ReactNode {
  const job = useJob(from);
  const { filledFrom } = useStore(draftStore);
  const { data } = job;
  useEffect(() => {
    if (data === undefined || draftStore.get().filledFrom === from) return;
    draftStore.set({
      ...draftOf(
        data,
        choices.find(({ name }) => name === data.pipeline),
      ),
      filledFrom: from,
    });
  }, [data, from, choices]);
  if (filledFrom === from) return <SubmitForm choices={choices} />;
  if (!job.error) return <Loading what="the job" />;
  return (
    <>
      <Failed error={job.error} onRetry={() => void job.refetch()} />
      <p className="state">
        <Link href="/submit">To an empty form</Link>
      </p>
    </>
  );
}

/** What the server said to the last try. */
interface Refusal {
  readonly message: string;
  readonly faults: readonly Fault[];
}

function SubmitForm({ choices }: { readonly choices: readonly Choice[] }): ReactNode {
  const draft = useStore(draftStore);
  const [isTried, setTried] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const submission = useChange<JobView>();
  const [, navigate] = useLocation();
  const pipeline = chosenOf(draft, choices);
  const { body, faults } = pipeline ? requestOf(draft, pipeline) : GONE;
  const form: Form = {
    draft,
    faults: [...faults.filter(({ isMissing }) => isTried || isMissing !== true), ...(refusal?.faults ?? [])],
    set(path, changes) {
      draftStore.set({ ...draftStore.get(), ...changes });
      setRefusal((said) => said && withoutFaultsAt(said, path));
    },
  };
  const isSending = useRef(false);
  const submit = async (): Promise<void> => {
    setTried(true);
    setRefusal(null);
    if (faults.length > 0 || isSending.current) return;
    // What is drawn is known a moment later: two clicks may come before.
    isSending.current = true;
    try {
      const job = await submission.mutateAsync({ path: '/v1/ingest', body });
      draftStore.set(EMPTY_DRAFT);
      say('The job was submitted.');
      navigate(`/jobs/${job.id}`);
    } catch (error) {
      setRefusal(refusalOf(error as Error, draft.key !== ''));
    } finally {
      isSending.current = false;
    }
  };
  return (
    <form
      className="submit"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <FilledFrom draft={draft} onClear={() => setRefusal(null)} />
      <Sections form={form} pipeline={pipeline} choices={choices} />
      <Problems refusal={refusal} faults={isTried ? form.faults : []} />
      <div className="buttons submit-bar">
        <button type="submit" className="main" disabled={submission.isPending}>
          {submission.isPending ? 'Submitting…' : 'Submit'}
        </button>
        <StartOver
          onClear={() => {
            setTried(false);
            setRefusal(null);
          }}
        />
      </div>
      {pipeline && <Commands body={body} isWhole={faults.length === 0} />}
    </form>
  );
}

const GONE = {
  body: { pipeline: '' },
  faults: [{ path: 'pipeline', message: 'there is no such pipeline any more' }] as Fault[],
};

function refusalOf(error: Error, hasKey: boolean): Refusal {
  if (!(error instanceof CallError)) return { message: error.message, faults: [] };
  if (error.status === 0) {
    const advice = hasKey
      ? 'Submit it again: with its idempotency key it is not run twice.'
      : 'The job may have been accepted all the same: look among the jobs before you submit it again.';
    return { message: `${error.message} ${advice}`, faults: [] };
  }
  if (error.status === 409 && hasKey) {
    return { message: 'The job conflicts.', faults: [{ path: 'idempotency_key', message: error.message }] };
  }
  return error.faults.length > 0
    ? { message: 'The gateway does not take the job.', faults: error.faults }
    : { message: error.message, faults: [] };
}

/** What is left of it once the field has been changed; nothing when that was all. */
function withoutFaultsAt(said: Refusal, path: string): Refusal | null {
  const faults = said.faults.filter((fault) => !isAt(fault.path, path));
  return faults.length === 0 && said.faults.length > 0 ? null : { ...said, faults };
}

function Sections({
  form,
  pipeline,
  choices,
}: {
  readonly form: Form;
  readonly pipeline: Choice | undefined;
  readonly choices: readonly Choice[];
}): ReactNode {
  return (
    <div className="columns">
      <div>
        <section className="panel">
          <h2>What</h2>
          <PipelineField form={form} choices={choices} chosen={pipeline} />
          {pipeline && <StepsField form={form} pipeline={pipeline} />}
          {pipeline && <SourceFields form={form} pipeline={pipeline} />}
        </section>
        <section className="panel">
          <h2>When</h2>
          <StartFields form={form} />
          <AfterFields form={form} />
        </section>
      </div>
      <div>
        <section className="panel">
          <h2>Input and options</h2>
          <InputField form={form} />
          {pipeline && <OptionFields form={form} pipeline={pipeline} />}
        </section>
        <section className="panel">
          <h2>Labels</h2>
          <LabelFields form={form} />
        </section>
      </div>
    </div>
  );
}

function FilledFrom({ draft, onClear }: { readonly draft: Draft; readonly onClear: () => void }): ReactNode {
  if (draft.filledFrom === null) return null;
  return (
    <p className="panel">
      Filled in from job{' '}
      <Link className="id" href={`/jobs/${draft.filledFrom}`}>
        {draft.filledFrom}
      </Link>
      , but for its start, the jobs it waited for, its key, and its options, which a job does not show.{' '}
      <StartOver onClear={onClear} />
    </p>
  );
}

function StartOver({ onClear }: { readonly onClear: () => void }): ReactNode {
  const [, navigate] = useLocation();
  return (
    <button
      type="button"
      onClick={() => {
        draftStore.set(EMPTY_DRAFT);
        onClear();
        navigate('/submit', { replace: true });
      }}
    >
      Empty the form
    </button>
  );
}

/** All that is wrong, each leading to its field. Takes the focus when it comes. */
function Problems({
  refusal,
  faults,
}: {
  readonly refusal: Refusal | null;
  readonly faults: readonly Fault[];
}): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const isThere = refusal !== null || faults.length > 0;
  useEffect(() => {
    if (isThere) box.current?.focus();
  }, [isThere, refusal?.message]);
  if (!isThere) return null;
  return (
    <div ref={box} className="panel problems" role="alert" tabIndex={-1}>
      <h2>{refusal?.message ?? 'Not yet: some fields want another look.'}</h2>
      <ul>
        {faults.map(({ path, message }) => (
          <li key={path + message}>
            {path !== '' && <FieldLink path={path} />} {message}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Leads to the field that the path is in, if the form shows it. */
function FieldLink({ path }: { readonly path: string }): ReactNode {
  const focus = (): void => {
    const parts = path.split('.');
    for (let length = parts.length; length > 0; length -= 1) {
      const field = document.getElementById(fieldId(parts.slice(0, length).join('.')));
      if (!field) continue;
      field.focus();
      field.scrollIntoView({ block: 'center' });
      return;
    }
  };
  return (
    <button type="button" className="to-field" onClick={focus}>
      <code>{path}</code>
    </button>
  );
}

function Commands({
  body,
  isWhole,
}: {
  readonly body: Parameters<typeof submitCli>[0];
  readonly isWhole: boolean;
}): ReactNode {
  const hasKey = useStore(apiKey) !== '';
  const curl = submitCurl(body, location.origin, hasKey);
  const cli = submitCli(body, location.origin);
  return (
    <details className="panel">
      <summary>The same from a terminal</summary>
      {!isWhole && <p className="hint">What is wrong in the form is left out.</p>}
      {cli === null ? (
        <p>The command line has no way to say this source, or one of these names; curl has.</p>
      ) : (
        <CommandLine label="Copy as CLI" text={cli} />
      )}
      <CommandLine label="Copy as curl" text={curl} />
    </details>
  );
}

const CommandLine = ({ label, text }: { readonly label: string; readonly text: string }): ReactNode => (
  <div className="command-line">
    <pre className="code" tabIndex={0}>
      {text}
    </pre>
    <Copy label={label} text={text} />
  </div>
);
