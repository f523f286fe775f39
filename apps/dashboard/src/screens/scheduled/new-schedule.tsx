import { type SyntheticEvent, type ReactNode, useId, useState } from 'react';
import type { ScheduleView } from '#shared/contracts/schedule';
import { CallError } from '../../api/client';
import { useChange, usePipelines } from '../../api/queries';
import { Dialog, say } from '../../ui/actions';
import { Failed } from '../../ui/states';
import { faultsByField, type FormField, type ScheduleForm, scheduleBody, wantsSource } from './schedule-form';
import { CATCH_UP_WORDS, OVERLAP_WORDS } from './words';

const EMPTY: ScheduleForm = {
  cron: '',
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  pipeline: '',
  source: '',
  description: '',
  overlap: 'skip',
  catch_up: 'last',
};
const CRON_HINT = 'minute hour day month weekday: "0 3 * * *" is 03:00 every day, "*/15 * * * *" every 15 minutes';

/** Asks for a new schedule and makes it. */
export function NewSchedule({ onClose }: { readonly onClose: () => void }): ReactNode {
  const change = useChange<ScheduleView>();
  const { data: known, error, refetch } = usePipelines();
  const [entered, setForm] = useState(EMPTY);
  const pipelines = known?.items ?? [];
  const form = { ...entered, pipeline: entered.pipeline === '' ? (pipelines[0]?.name ?? '') : entered.pipeline };
  const set = (field: FormField) => (value: string) => setForm({ ...form, [field]: value });
  const refusal = change.error;
  const { fields, others } = faultsByField(refusal instanceof CallError ? refusal.faults : []);
  const isAtFields = Object.keys(fields).length > 0 && others.length === 0;
  const create = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    try {
      const made = await change.mutateAsync({ path: '/v1/schedules', body: scheduleBody(form) });
      say(`Made: ${made.cron_text} in ${made.timezone}.`);
      onClose();
    } catch {
      // It is shown at its field, or below.
    }
  };
  const wanted = wantsSource(pipelines, form.pipeline);
  return (
    <Dialog title="New schedule" onClose={onClose}>
      <form onSubmit={(event) => void create(event)} noValidate>
        {error && <Failed error={error} onRetry={() => void refetch()} />}
        <div className="form">
          <Text label="Cron" value={form.cron} onChange={set('cron')} fault={fields.cron} hint={CRON_HINT} isWide />
          <Text label="Time zone" value={form.timezone} onChange={set('timezone')} fault={fields.timezone} isZone />
          <Choice label="Pipeline" value={form.pipeline} onChange={set('pipeline')} fault={fields.pipeline}>
            {pipelines.map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </Choice>
          <Text
            label={wanted ? 'Source' : 'Source (optional)'}
            value={form.source}
            onChange={set('source')}
            fault={fields.source}
            hint="a local folder, or the address of a git repository"
            isWide
          />
          <Text
            label="Description (optional)"
            value={form.description}
            onChange={set('description')}
            fault={fields.description}
            isWide
          />
          <Choice label="When the last job still runs" value={form.overlap} onChange={set('overlap')}>
            <Options words={OVERLAP_WORDS} />
          </Choice>
          <Choice label="After an outage" value={form.catch_up} onChange={set('catch_up')}>
            <Options words={CATCH_UP_WORDS} />
          </Choice>
        </div>
        {refusal && !isAtFields && (
          <p className="field-fault" role="alert">
            {others.length > 0 ? others.join(' ') : refusal.message}
          </p>
        )}
        <div className="buttons">
          <button type="submit" className="main" disabled={change.isPending}>
            Make it
          </button>
          <button type="button" onClick={onClose}>
            Leave it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly fault?: string | undefined;
}

function Text({
  label,
  value,
  onChange,
  fault,
  hint,
  isWide,
  isZone,
}: FieldProps & { readonly hint?: string; readonly isWide?: boolean; readonly isZone?: boolean }): ReactNode {
  const [field, told, zones] = [useId(), useId(), useId()];
  return (
    <div className={isWide ? 'field wide' : 'field'}>
      <label htmlFor={field}>{label}</label>
      <input
        id={field}
        value={value}
        autoComplete="off"
        list={isZone ? zones : undefined}
        aria-invalid={fault !== undefined}
        aria-describedby={told}
        onChange={(event) => onChange(event.target.value)}
      />
      {isZone && (
        <datalist id={zones}>
          {Intl.supportedValuesOf('timeZone').map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
      )}
      <span id={told} className={fault === undefined ? 'quiet' : 'field-fault'}>
        {fault ?? hint}
      </span>
    </div>
  );
}

function Choice({ label, value, onChange, fault, children }: FieldProps & { readonly children: ReactNode }): ReactNode {
  const [field, told] = [useId(), useId()];
  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <select
        id={field}
        value={value}
        aria-invalid={fault !== undefined}
        aria-describedby={told}
        onChange={(event) => onChange(event.target.value)}
      >
        {children}
      </select>
      <span id={told} className="field-fault">
        {fault}
      </span>
    </div>
  );
}

function Options({ words }: { readonly words: Readonly<Record<string, string>> }): ReactNode {
  return Object.entries(words).map(([value, text]) => (
    <option key={value} value={value}>
      {text}
    </option>
  ));
}
