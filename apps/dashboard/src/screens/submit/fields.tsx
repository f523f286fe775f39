import type { ReactNode } from 'react';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { longDuration } from '#shared/domain/words';
import { fromLocalInput } from '../../ui/local-input';
import { type Choice, optionPath, runningSteps } from './draft';
import { faultsAt, Field, fieldId, type Form, Wrong } from './form';

interface Props {
  readonly form: Form;
  readonly pipeline: Choice;
}

/** The pipeline, and which of its steps. `chosen` is undefined when the draft's pipeline is gone. */
export function PipelineField({
  form,
  choices,
  chosen,
}: {
  readonly form: Form;
  readonly choices: readonly Choice[];
  readonly chosen: Choice | undefined;
}): ReactNode {
  return (
    <Field form={form} path="pipeline" label="Pipeline" hint={chosen?.description}>
      {(control) => (
        <select
          {...control}
          value={chosen?.name ?? form.draft.pipeline}
          onChange={(event) => form.set('pipeline', { pipeline: event.target.value, steps: null })}
        >
          {chosen === undefined && <option>{form.draft.pipeline}</option>}
          {choices.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function StepsField({ form, pipeline }: Props): ReactNode {
  const names = pipeline.steps.map(({ name }) => name);
  const chosen = form.draft.steps ?? names;
  const running = runningSteps(form.draft.steps, pipeline).map(({ name }) => name);
  const toggle = (step: string): void => {
    const next = names.filter((name) => (name === step ? !chosen.includes(name) : chosen.includes(name)));
    form.set('steps', { steps: next.length === names.length ? null : next });
  };
  return (
    <fieldset className="field" id={fieldId('steps')} tabIndex={-1}>
      <legend>Steps</legend>
      <ul className="steps">
        {pipeline.steps.map(({ name, uses, needs }) => (
          <li key={name}>
            <label>
              <input type="checkbox" checked={chosen.includes(name)} onChange={() => toggle(name)} /> {name}
            </label>{' '}
            <span className="hint">
              {uses !== name && `${uses} `}
              {needs.length > 0 && `after ${needs.join(', ')}`}
              {running.includes(name) && !chosen.includes(name) && <strong> · runs too, since it is needed</strong>}
            </span>
          </li>
        ))}
      </ul>
      <Wrong faults={faultsAt(form.faults, ['steps'])} path="steps" />
    </fieldset>
  );
}

export function SourceFields({ form, pipeline }: Props): ReactNode {
  const { draft } = form;
  return (
    <>
      <Field
        form={form}
        path="source"
        others={['source_type']}
        label={pipeline.source === 'required' ? 'Source (required)' : 'Source'}
        hint="A folder on the machine of the gateway, by its full path; any other starts at the first of its source roots."
      >
        {(control) => (
          <input
            {...control}
            value={draft.source}
            required={pipeline.source === 'required'}
            autoComplete="off"
            onChange={(event) => form.set('source', { source: event.target.value })}
          />
        )}
      </Field>
      <Field form={form} path="branch" label="Branch" hint="Of a git repository.">
        {(control) => (
          <input
            {...control}
            value={draft.branch}
            autoComplete="off"
            onChange={(event) => form.set('branch', { branch: event.target.value })}
          />
        )}
      </Field>
    </>
  );
}

const rowsOf = (text: string, least: number): number => Math.min(16, Math.max(least, text.split('\n').length));

export function InputField({ form }: { readonly form: Form }): ReactNode {
  return (
    <Field form={form} path="input" label="Input" hint="A JSON object that is handed to the steps.">
      {(control) => (
        <textarea
          {...control}
          rows={rowsOf(form.draft.input, 5)}
          spellCheck={false}
          placeholder={'{\n  "since": "2030-01-01"\n}'}
          value={form.draft.input}
          onChange={(event) => form.set('input', { input: event.target.value })}
        />
      )}
    </Field>
  );
}

/** What a job may set over its pipeline's options, for the steps that will run. */
export function OptionFields({ form, pipeline }: Props): ReactNode {
  const { options } = form.draft;
  const fields = runningSteps(form.draft.steps, pipeline).flatMap(({ name, job_options = [], options: preset }) =>
    job_options.map((option) => ({ step: name, option, preset: preset[option], path: optionPath(name, option) })),
  );
  if (fields.length === 0)
    return <p className="hint">The steps of this pipeline have no options that a job may set.</p>;
  return fields.map(({ step, option, preset, path }) => (
    <Field
      key={path}
      form={form}
      path={path}
      label={
        <>
          {step}: <code>{option}</code>
        </>
      }
    >
      {(control) => (
        <textarea
          {...control}
          rows={rowsOf(options.get(path) ?? '', 1)}
          spellCheck={false}
          placeholder={preset === undefined ? 'JSON; left out' : JSON.stringify(preset)}
          value={options.get(path) ?? ''}
          onChange={(event) => form.set(path, { options: new Map(options).set(path, event.target.value) })}
        />
      )}
    </Field>
  ));
}

const STARTS = [
  ['now', 'now'],
  ['at', 'at a time'],
  ['in', 'after a while'],
] as const;
const UNITS = [
  [1, 'seconds'],
  [60, 'minutes'],
  [3_600, 'hours'],
] as const;

export function StartFields({ form }: { readonly form: Form }): ReactNode {
  const { draft } = form;
  const eta = fromLocalInput(draft.at);
  return (
    <>
      <fieldset className="field">
        <legend>Start</legend>
        <div className="buttons">
          {STARTS.map(([start, label]) => (
            <label key={start}>
              <input
                type="radio"
                name="start"
                checked={draft.start === start}
                onChange={() => form.set(start === 'at' ? 'countdown' : 'eta', { start })}
              />{' '}
              {label}
            </label>
          ))}
        </div>
      </fieldset>
      {draft.start === 'at' && (
        <Field form={form} path="eta" label="Time, as your clock shows it" hint={eta !== '' && `That is ${eta}.`}>
          {(control) => (
            <input
              {...control}
              type="datetime-local"
              step={1}
              value={draft.at}
              onChange={(event) => form.set('eta', { at: event.target.value })}
            />
          )}
        </Field>
      )}
      {draft.start === 'in' && <CountdownField form={form} />}
    </>
  );
}

function CountdownField({ form }: { readonly form: Form }): ReactNode {
  const { amount, unitSeconds } = form.draft;
  const ms = amount.trim() === '' ? Number.NaN : Number(amount) * unitSeconds * 1_000;
  return (
    <Field form={form} path="countdown" label="After" hint={ms >= 1_000 && `Starts in ${longDuration(ms)}.`}>
      {(control) => (
        <div className="buttons">
          <input
            {...control}
            inputMode="decimal"
            className="amount"
            autoComplete="off"
            value={amount}
            onChange={(event) => form.set('countdown', { amount: event.target.value })}
          />
          <select
            aria-label="Unit"
            value={unitSeconds}
            onChange={(event) => form.set('countdown', { unitSeconds: Number(event.target.value) })}
          >
            {UNITS.map(([seconds, name]) => (
              <option key={name} value={seconds}>
                {name}
              </option>
            ))}
          </select>
        </div>
      )}
    </Field>
  );
}

export function AfterFields({ form }: { readonly form: Form }): ReactNode {
  const { dependsOn, onFailure } = form.draft;
  return (
    <>
      <Field form={form} path="depends_on" label="After other jobs" hint="Their ids, separated by spaces or commas.">
        {(control) => (
          <textarea
            {...control}
            rows={rowsOf(dependsOn, 1)}
            spellCheck={false}
            value={dependsOn}
            onChange={(event) => form.set('depends_on', { dependsOn: event.target.value })}
          />
        )}
      </Field>
      {dependsOn.trim() !== '' && (
        <Field form={form} path="on_dependency_failure" label="If one of them fails or is cancelled">
          {(control) => (
            <select
              {...control}
              value={onFailure}
              onChange={(event) =>
                form.set('on_dependency_failure', { onFailure: event.target.value === 'run' ? 'run' : 'fail' })
              }
            >
              <option value="fail">this one fails too</option>
              <option value="run">this one runs all the same</option>
            </select>
          )}
        </Field>
      )}
    </>
  );
}

export function LabelFields({ form }: { readonly form: Form }): ReactNode {
  const { priority, tags, description, key } = form.draft;
  const asPriority = (text: string): Priority => PRIORITIES.find((each) => each === text) ?? 'default';
  return (
    <>
      <Field form={form} path="priority" label="Priority">
        {(control) => (
          <select
            {...control}
            value={priority}
            onChange={(event) => form.set('priority', { priority: asPriority(event.target.value) })}
          >
            {PRIORITIES.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
      </Field>
      <Field form={form} path="tags" label="Tags" hint="One a line.">
        {(control) => (
          <textarea
            {...control}
            rows={rowsOf(tags, 2)}
            value={tags}
            onChange={(event) => form.set('tags', { tags: event.target.value })}
          />
        )}
      </Field>
      <Field form={form} path="description" label="Description">
        {(control) => (
          <textarea
            {...control}
            rows={rowsOf(description, 2)}
            value={description}
            onChange={(event) => form.set('description', { description: event.target.value })}
          />
        )}
      </Field>
      <Field
        form={form}
        path="idempotency_key"
        others={['Idempotency-Key']}
        label="Idempotency key"
        hint="The same key and job again gives the first job back instead of a second one."
      >
        {(control) => (
          <input
            {...control}
            autoComplete="off"
            value={key}
            onChange={(event) => form.set('idempotency_key', { key: event.target.value })}
          />
        )}
      </Field>
    </>
  );
}
