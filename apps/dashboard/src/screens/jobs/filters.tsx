import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { serverNow } from '../../api/clock';
import { usePipelines } from '../../api/queries';
import { type Store, useStore } from '../../api/store';
import { fromLocalInput, toLocalInput } from '../../ui/local-input';
import { Status } from '../../ui/status';
import { CLEARED, filterOf, isFiltered, LIST_STATUSES, shortId } from './job-filter';

type Change = (changes: Record<string, string | readonly string[]>) => void;

interface FiltersProps {
  /** The page's address, which holds the filter. */
  readonly address: URLSearchParams;
  readonly onChange: Change;
}

/** What narrows the list. Another filter begins at its first page. */
export function Filters({ address, onChange }: FiltersProps): ReactNode {
  const change: Change = (changes) => onChange({ ...changes, cursor: '' });
  const isWide = useStore(WIDE);
  const more = <MoreFilters address={address} onChange={change} />;
  const moreCount = ['pipeline', 'tag', 'created_after', 'created_before', 'sort'].filter((name) => address.has(name));
  const schedule = address.get('schedule_id') ?? '';
  return (
    <form className="panel filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <div className="filter-line">
        <Search address={address} onChange={change} />
        {isWide && more}
      </div>
      <div className="filter-line">
        <Statuses chosen={address.getAll('status')} onChange={(status) => change({ status })} />
        {schedule !== '' && (
          <button type="button" onClick={() => change({ schedule_id: '' })} title={schedule}>
            of schedule <span className="id">{shortId(schedule)}</span> <span aria-hidden="true">✕</span>
            <span className="unseen"> remove</span>
          </button>
        )}
        {(isFiltered(filterOf(address)) || address.has('sort')) && (
          <button type="button" onClick={() => change(CLEARED)}>
            Clear the filter
          </button>
        )}
      </div>
      {!isWide && (
        <details>
          <summary>More filters{moreCount.length > 0 && ` (${moreCount.length} set)`}</summary>
          <div className="filter-line">{more}</div>
        </details>
      )}
    </form>
  );
}

const QUERY = window.matchMedia('(min-width: 701px)');
/** Whether there is room for everything. */
const WIDE: Store<boolean> = {
  get: () => QUERY.matches,
  set: () => undefined,
  subscribe(listener) {
    QUERY.addEventListener('change', listener);
    return () => QUERY.removeEventListener('change', listener);
  },
};

function MoreFilters({ address, onChange }: FiltersProps): ReactNode {
  return (
    <>
      <Pipelines value={address.get('pipeline') ?? ''} onChange={(pipeline) => onChange({ pipeline })} />
      <Typed
        label="Tag"
        className="filter-tag"
        value={address.get('tag') ?? ''}
        onChange={(tag) => onChange({ tag })}
        maxLength={128}
      />
      <Created address={address} onChange={onChange} />
      <label className="field">
        <span>Order</span>
        <select value={address.get('sort') ?? ''} onChange={(event) => onChange({ sort: event.target.value })}>
          <option value="">Newest first</option>
          <option value="created_at">Oldest first</option>
          <option value="eta">By start time</option>
        </select>
      </label>
    </>
  );
}

function Search({ address, onChange }: FiltersProps): ReactNode {
  const isWanted = address.get('focus') === 'search';
  const field = useRef<HTMLInputElement>(null);
  const change = useLatest(onChange);
  useEffect(() => {
    if (!isWanted) return;
    field.current?.focus();
    change.current({ focus: '' });
  }, [isWanted, change]);
  return (
    <Typed
      label="Search"
      className="filter-search"
      type="search"
      value={address.get('q') ?? ''}
      onChange={(q) => onChange({ q })}
      field={field}
      maxLength={200}
      placeholder="id, source, description, last error"
      data-search=""
    />
  );
}

function Pipelines({ value, onChange }: { value: string; onChange: (value: string) => void }): ReactNode {
  const { data } = usePipelines();
  const names = data?.items.map(({ name }) => name) ?? [];
  const isGone = value !== '' && !names.includes(value);
  return (
    <label className="field">
      <span>Pipeline</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">All</option>
        {(isGone ? [value, ...names] : names).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

const MINUTE_MS = 60_000;

/** Quick picks of "created after". */
const PICKS: readonly (readonly [string, () => Date])[] = [
  ['15 min', () => new Date(serverNow() - 15 * MINUTE_MS)],
  ['1 h', () => new Date(serverNow() - 60 * MINUTE_MS)],
  ['today', () => new Date(new Date().setHours(0, 0, 0, 0))],
];

function Created({ address, onChange }: FiltersProps): ReactNode {
  const since = (name: 'created_after' | 'created_before', label: string): ReactNode => (
    <Typed
      label={label}
      type="datetime-local"
      value={toLocalInput(address.get(name) ?? '')}
      settled={(text) => toLocalInput(fromLocalInput(text))}
      onChange={(text) => onChange({ [name]: fromLocalInput(text) })}
    />
  );
  return (
    <>
      {since('created_after', 'Created after')}
      {since('created_before', 'Created before')}
      <div className="field" role="group" aria-label="Created in the last">
        <span>In the last</span>
        <div className="buttons">
          {PICKS.map(([label, start]) => (
            <button
              key={label}
              type="button"
              onClick={() => onChange({ created_after: start().toISOString(), created_before: '' })}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
    </>
  );
}

function Statuses({
  chosen,
  onChange,
}: {
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
}): ReactNode {
  const toggled = (status: string): readonly string[] =>
    chosen.includes(status) ? chosen.filter((each) => each !== status) : [...chosen, status];
  return (
    <div className="buttons chips" role="group" aria-label="Status">
      {LIST_STATUSES.map((status) => (
        <button
          key={status}
          type="button"
          aria-pressed={chosen.includes(status)}
          onClick={() => onChange(toggled(status))}
          title={status === 'retrying' ? 'with a step that waits for its next attempt' : undefined}
        >
          <Status of={status} />
        </button>
      ))}
    </div>
  );
}

const PAUSE_MS = 350;

interface TypedProps {
  readonly label: string;
  readonly value: string;
  /** Called once nothing has been typed for a moment. */
  readonly onChange: (value: string) => void;
  /** The text as it will come back as `value`. */
  readonly settled?: (text: string) => string;
  readonly className?: string;
  readonly type?: string;
  readonly field?: React.RefObject<HTMLInputElement | null>;
  readonly maxLength?: number;
  readonly placeholder?: string;
  readonly 'data-search'?: string;
}

const trimmed = (text: string): string => text.trim();

/** A field whose text is taken over when typing pauses, and that follows when its value changes from elsewhere. */
function Typed(props: TypedProps): ReactNode {
  const { label, value, onChange, settled = trimmed, className = '', field, ...others } = props;
  const [text, setText] = useState(value);
  const told = useRef(value);
  const id = useId();
  const tell = useLatest(onChange);
  const settle = useLatest(settled);
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setText(value);
  }, [value]);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (settle.current(text) === told.current) return;
      told.current = settle.current(text);
      tell.current(text.trim());
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, tell, settle]);
  return (
    <div className={`field ${className}`}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        ref={field}
        value={text}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          // What is typed counts by itself; the keys of the page are wanted again.
          if (event.key === 'Enter' || event.key === 'Escape') event.currentTarget.blur();
        }}
        autoComplete="off"
        {...others}
      />
    </div>
  );
}

/** The value of the last render, for what runs later and must not be set up anew with each render. */
function useLatest<T>(value: T): React.RefObject<T> {
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  return latest;
}
