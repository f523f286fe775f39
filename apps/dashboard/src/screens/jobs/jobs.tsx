import './jobs.css';
import { type ReactNode, useEffect, useMemo } from 'react';
import { Link, useLocation } from 'wouter';
import { useHistoryState } from 'wouter/use-browser-location';
import type { JobView } from '#shared/contracts/job';
import { counted } from '#shared/domain/words';
import type { SocketState } from '../../live/socket';
import { useLiveJobs } from '../../live/use-live';
import { CallError } from '../../api/client';
import { useParameters } from '../../ui/address';
import { useRowKeys } from '../../ui/keys';
import { Copy } from '../../ui/actions';
import { cliLine } from '../../ui/shell';
import { Empty, Failed, Loading } from '../../ui/states';
import { Filters } from './filters';
import { CLEARED, filterOf, hasStatusOf, isFiltered, longerTrail, newestOf, questionOf, trailOf } from './job-filter';
import { JobRow } from './job-row';
import { type Newer, useJobList, useNewer } from './use-job-list';

const NO_JOBS: readonly JobView[] = [];

/** The list of jobs: filtered, page by page, live. */
export function Jobs(): ReactNode {
  const [address, change] = useParameters();
  const filter = filterOf(address);
  const question = questionOf(address);
  const list = useJobList(question);
  const items = list.data?.items ?? NO_JOBS;
  const isNewestFirst = ['', '-created_at'].includes(address.get('sort') ?? '');
  const isFirstPage = address.get('cursor') === null;
  const newer = useNewer(filter, items, isNewestFirst && isFirstPage && list.isSuccess && !list.isPlaceholderData);
  const { refetch } = list;
  useEffect(() => {
    // Nothing is under the pointer yet.
    if (items.length === 0 && newer.count > 0) void refetch();
  }, [items.length, newer.count, refetch]);
  useRowKeys('.row');
  const refusal = list.error instanceof CallError && list.error.status === 422 ? list.error : null;
  return (
    <>
      <h1>Jobs</h1>
      <Filters address={address} onChange={change} />
      {list.data ? (
        <>
          {list.error && <Failed error={list.error} onRetry={() => void refetch()} />}
          <Rows
            items={items}
            statuses={address.getAll('status').filter((status) => status !== '')}
            isOld={list.isPlaceholderData || list.isFetching}
            newer={newer}
            onShow={() => void refetch()}
          >
            <NoRows isFiltered={isFiltered(filter) || !isFirstPage} onClear={() => change(CLEARED)} />
          </Rows>
          <Pages next={list.data.next_cursor} isNewestFirst={isNewestFirst} />
        </>
      ) : refusal ? (
        <Refused error={refusal} onClear={() => change(CLEARED)} />
      ) : list.error ? (
        <Failed error={list.error} onRetry={() => void refetch()} />
      ) : (
        <Loading what="the jobs" />
      )}
    </>
  );
}

interface RowsProps {
  readonly items: readonly JobView[];
  readonly statuses: readonly string[];
  /** They answer another question, or are being read again. */
  readonly isOld: boolean;
  readonly newer: Newer;
  readonly onShow: () => void;
  /** Shown when there are none. */
  readonly children: ReactNode;
}

function Rows({ items, statuses, isOld, newer, onShow, children }: RowsProps): ReactNode {
  const ids = useMemo(() => items.map(({ id }) => id), [items]);
  const { jobs, state } = useLiveJobs(ids);
  if (items.length === 0) return children;
  return (
    <section aria-label="Jobs" aria-busy={isOld}>
      <div className="above-list">
        <LiveSign state={state} />
        <span className="quiet on-page">{counted(items.length, 'job')} on this page</span>
        <span role="status" className="newer">
          {newer.count > 0 && (
            <button type="button" className="main" onClick={onShow}>
              {newer.count}
              {newer.isMore ? '+' : ''} newer {newer.count === 1 ? 'job' : 'jobs'} – show
            </button>
          )}
        </span>
        <button type="button" onClick={onShow} disabled={isOld}>
          Read again
        </button>
      </div>
      <div className="panel scroll" tabIndex={0} role="region" aria-label="List of jobs">
        <table className={isOld ? 'job-list is-old' : 'job-list'}>
          <thead>
            <tr>
              <th scope="col">Status</th>
              <th scope="col">Job, pipeline</th>
              <th scope="col">Source, description, tags</th>
              <th scope="col">Progress, steps now</th>
              <th scope="col" className="right">
                Retries
              </th>
              <th scope="col">Last error</th>
              <th scope="col" className="right">
                Created
              </th>
              <th scope="col" className="right">
                Took
              </th>
            </tr>
          </thead>
          <tbody>
            {items.map((read) => {
              const job = newestOf(read, jobs.get(read.id));
              return <JobRow key={job.id} job={job} hasLeft={!hasStatusOf(job, statuses)} />;
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const LIVE_WORDS: Readonly<Record<SocketState, string>> = {
  connecting: '◌ live updates: connecting…',
  live: '● live',
  lost: '✕ live updates lost – reconnecting…',
  over: '■ no live updates: load the page again',
};

const LiveSign = ({ state }: { readonly state: SocketState }): ReactNode => (
  <span role="status" className={`live live-${state}`}>
    {LIVE_WORDS[state]}
  </span>
);

/** Goes to the page after this one, and back the way one came. The page is in the address, the way in the history. */
function Pages({ next, isNewestFirst }: { readonly next: string | null; readonly isNewestFirst: boolean }): ReactNode {
  const [address] = useParameters();
  const [path, navigate] = useLocation();
  const trail = trailOf(useHistoryState());
  const cursor = address.get('cursor') ?? '';
  const go = (to: string, way: readonly string[]): void => {
    const parameters = new URLSearchParams(address);
    parameters.delete('cursor');
    if (to !== '') parameters.set('cursor', to);
    const text = parameters.toString();
    navigate(text === '' ? path : `${path}?${text}`, { state: { trail: way } });
    window.scrollTo({ top: 0 });
  };
  if (cursor === '' && next === null) return null;
  return (
    <nav className="buttons" aria-label="Pages">
      <button type="button" disabled={cursor === ''} onClick={() => go('', [])}>
        « {isNewestFirst ? 'Newest' : 'First'}
      </button>
      <button type="button" disabled={trail.length === 0} onClick={() => go(trail.at(-1) ?? '', trail.slice(0, -1))}>
        ‹ {isNewestFirst ? 'Newer' : 'Previous'}
      </button>
      <button
        type="button"
        disabled={next === null}
        onClick={() => next !== null && go(next, longerTrail(trail, cursor))}
      >
        {isNewestFirst ? 'Older' : 'Next'} ›
      </button>
    </nav>
  );
}

/** The server does not take the filter: what is wrong with it, and the way out. */
function Refused({ error, onClear }: { readonly error: CallError; readonly onClear: () => void }): ReactNode {
  return (
    <div className="state failed" role="alert">
      <p className="state-title">The filter in the address is not one.</p>
      <ul className="faults">
        {error.faults.map(({ path, message }) => (
          <li key={path + message}>
            <code>{path}</code> {message}
          </li>
        ))}
      </ul>
      <button type="button" className="main" onClick={onClear}>
        Clear the filter
      </button>
    </div>
  );
}

const FIRST_JOB = cliLine(['ingest', 'start', '.'], location.origin);

function NoRows({ isFiltered, onClear }: { readonly isFiltered: boolean; readonly onClear: () => void }): ReactNode {
  if (isFiltered) {
    return (
      <Empty title="No job matches.">
        <button type="button" onClick={onClear}>
          Clear the filter
        </button>
      </Empty>
    );
  }
  return (
    <Empty title="There are no jobs yet.">
      <p>
        <Link href="/submit">Submit one</Link>, or from a terminal:
      </p>
      <p className="command">
        <code>{FIRST_JOB}</code> <Copy label="Copy" text={FIRST_JOB} />
      </p>
      <p>It will show up here.</p>
    </Empty>
  );
}
