import { type ReactNode, useId } from 'react';
import { Link, useSearch } from 'wouter';
import type { DeadLetterGroup, DeadLetterGroups } from '#shared/contracts/dead-letter';
import { counted } from '#shared/domain/words';
import { usePipelines, useRead } from '../../api/queries';
import { useParameters } from '../../ui/address';
import { Empty, Failed, Loading } from '../../ui/states';
import { useStill } from '../../ui/still';
import { Ago } from '../../ui/time';
import { choices, filterBody, filterOf, isFiltered, KINDS, type LetterFilter } from './letter-filter';
import { RedriveAll } from './redrive-all';

const MOST_GROUPS = 200;

/** What has failed for good, what failed alike in one entry; the most frequent first. */
export function LetterGroups(): ReactNode {
  const [parameters, change] = useParameters();
  const filter = filterOf(parameters);
  const { data, error, refetch } = useRead<DeadLetterGroups>('/v1/dead_letters', {
    ...{ group_by: 'fingerprint', limit: MOST_GROUPS },
    ...filter,
  });
  const groups = data?.items ?? [];
  const count = groups.reduce((sum, each) => sum + each.count, 0);
  return (
    <>
      <h1>Dead letters</h1>
      <Filters filter={filter} groups={groups} onChange={change} />
      {!data && !error && <Loading what="the dead letters" />}
      {!data && error && <Failed error={error} onRetry={() => void refetch()} />}
      {data && groups.length === 0 && (
        <Nothing filter={filter} onClear={() => change({ pipeline: '', step: '', kind: '' })} />
      )}
      {groups.length > 0 && (
        <section className="panel" aria-labelledby="groups">
          <div className="heading">
            <h2 id="groups">
              {data?.has_more ? 'More than ' : ''}
              {counted(count, 'dead letter')} in {counted(groups.length, 'group')}
            </h2>
            <RedriveAll
              label={isFiltered(filter) ? 'Redrive all of these' : 'Redrive all'}
              body={{ filter: filterBody(filter) }}
            />
          </div>
          <Groups key={JSON.stringify(filter)} groups={groups} />
          {data?.has_more && <p className="quiet">Only the {MOST_GROUPS} most frequent groups are shown.</p>}
        </section>
      )}
    </>
  );
}

function Nothing({ filter, onClear }: { readonly filter: LetterFilter; readonly onClear: () => void }): ReactNode {
  if (!isFiltered(filter)) {
    return (
      <Empty title="Nothing has failed for good.">
        <p>
          A step that is out of retries, or meets a permanent error, leaves a dead letter here until it is redriven.
        </p>
      </Empty>
    );
  }
  return (
    <Empty title="No dead letter is like that.">
      <button type="button" onClick={onClear}>
        Show all
      </button>
    </Empty>
  );
}

function Groups({ groups }: { readonly groups: readonly DeadLetterGroup[] }): ReactNode {
  const { rows, hold } = useStill(groups, ({ fingerprint }) => fingerprint);
  const search = useSearch();
  return (
    <ul className="entries" {...hold}>
      {rows.map(({ value, isGone }) => (
        <li key={value.fingerprint} className={isGone ? 'gone' : undefined}>
          <span>
            <span className="count number">{value.count}</span> <span className="quiet">×</span>
          </span>
          <span>
            <Link className="row" href={`/dead-letters/${value.fingerprint}${search === '' ? '' : `?${search}`}`}>
              {value.pipeline} / {value.step}
            </Link>{' '}
            <span className="kind">✕ {value.error.kind}</span>{' '}
            {value.error.code !== null && <code className="quiet">{value.error.code}</code>}
            <span className="message">{value.error.message}</span>
          </span>
          <span>
            {isGone ? (
              'all redriven'
            ) : (
              <>
                last <Ago at={value.last_at} />
              </>
            )}
            <br />
            <span className="quiet">
              first <Ago at={value.first_at} />
            </span>
          </span>
        </li>
      ))}
    </ul>
  );
}

function Filters({
  filter,
  groups,
  onChange,
}: {
  readonly filter: LetterFilter;
  readonly groups: readonly DeadLetterGroup[];
  readonly onChange: (changes: Record<string, string>) => void;
}): ReactNode {
  const { data } = usePipelines();
  const { pipelines, steps } = choices(data?.items ?? [], groups, filter);
  return (
    <div className="choices" role="group" aria-label="Which dead letters">
      <Choice
        label="Pipeline"
        value={filter.pipeline}
        values={pipelines}
        onChange={(pipeline) => onChange({ pipeline, step: '' })}
      />
      <Choice label="Step" value={filter.step} values={steps} onChange={(step) => onChange({ step })} />
      <Choice label="Kind of error" value={filter.kind} values={KINDS} onChange={(kind) => onChange({ kind })} />
    </div>
  );
}

function Choice({
  label,
  value,
  values,
  onChange,
}: {
  readonly label: string;
  readonly value: string;
  readonly values: readonly string[];
  readonly onChange: (value: string) => void;
}): ReactNode {
  const field = useId();
  return (
    <div className="field">
      <label htmlFor={field}>{label}</label>
      <select id={field} value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">any</option>
        {values.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    </div>
  );
}
