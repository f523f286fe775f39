import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobPage } from '#shared/contracts/job';
import type { SchedulePage } from '#shared/contracts/schedule';
import { clockTime, countdown, counted } from '#shared/domain/words';
import { useRead } from '../../api/queries';
import { useNow } from '../../ui/now';
import { Failed, Loading } from '../../ui/states';
import { type StillRow, useStill } from '../../ui/still';
import { Countdown } from '../../ui/time';
import { dayOf, type Upcoming, upcoming } from './upcoming';
import { scheduleName } from './words';

const MOST_READ = 200;
const EVERY_MS = 5_000;
const DAY_MS = 86_400_000;
const OWN_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Answers "what will run tonight?": jobs and runs of schedules, in one order. */
export function NextDay(): ReactNode {
  const jobs = useRead<JobPage>('/v1/ingest', { status: 'scheduled', sort: 'eta', limit: MOST_READ }, EVERY_MS);
  const schedules = useRead<SchedulePage>('/v1/schedules', { enabled: true, limit: MOST_READ }, EVERY_MS);
  const error = jobs.error ?? schedules.error;
  return (
    <section className="panel" aria-labelledby="next-day">
      <h2 id="next-day">The next 24 hours</h2>
      {jobs.data && schedules.data ? (
        <List jobs={jobs.data} schedules={schedules.data} />
      ) : error ? (
        <Failed
          error={error}
          onRetry={() => {
            void jobs.refetch();
            void schedules.refetch();
          }}
        />
      ) : (
        <Loading what="what will run" />
      )}
    </section>
  );
}

function List({ jobs, schedules }: { readonly jobs: JobPage; readonly schedules: SchedulePage }): ReactNode {
  const now = useNow();
  const entries = upcoming(jobs.items, schedules.items, now);
  const { rows, hold } = useStill(entries, ({ key }) => key);
  const lastEta = jobs.items.at(-1)?.eta ?? null;
  const isCut = jobs.has_more && lastEta !== null && Date.parse(lastEta) <= now + DAY_MS;
  const [next] = entries;
  return (
    <>
      <p className="quiet">
        {next === undefined
          ? 'Nothing is to run by the clock.'
          : `${summary(entries)}; the next ${countdown(new Date(next.atMs).toISOString(), now)}. Times are yours (${OWN_ZONE}).`}
      </p>
      <div {...hold}>
        {byDay(rows, now).map(([day, dayRows]) => (
          <div key={day}>
            <p className="day">{day}</p>
            <ul className="list upcoming">
              {dayRows.map(({ value, isGone }) => (
                <li key={value.key} className={isGone ? 'gone' : undefined}>
                  <When atMs={value.atMs} isGone={isGone} />
                  <What entry={value} />
                </li>
              ))}
            </ul>
          </div>
        ))}
      </div>
      {isCut && <p>More jobs than are listed here start after {clockTime(lastEta)}.</p>}
      {schedules.has_more && <p>Only {MOST_READ} schedules are looked at.</p>}
    </>
  );
}

function When({ atMs, isGone }: { readonly atMs: number; readonly isGone: boolean }): ReactNode {
  const at = new Date(atMs).toISOString();
  return (
    <span>
      <time dateTime={at} title={at}>
        {clockTime(at)}
      </time>{' '}
      <span className="quiet">{isGone ? 'gone' : <Countdown to={at} />}</span>
    </span>
  );
}

function What({ entry }: { readonly entry: Upcoming }): ReactNode {
  if (entry.kind === 'schedule') {
    const { schedule, times, goesOn } = entry;
    return (
      <span>
        <a className="row" href={`#schedule-${schedule.id}`}>
          {scheduleName(schedule)}
        </a>{' '}
        <span className="quiet">
          ↻ {schedule.cron_text}
          {schedule.timezone !== OWN_ZONE && ` in ${schedule.timezone}`}
          {goesOn && times.length > 1 && (
            <>
              : then{' '}
              {times
                .slice(1)
                .map((at) => clockTime(new Date(at).toISOString()))
                .join(', ')}{' '}
              and so on
            </>
          )}
        </span>
      </span>
    );
  }
  const [first] = entry.jobs;
  if (first === undefined) return null;
  if (entry.jobs.length > 1) {
    return (
      <span>
        {counted(entry.jobs.length, 'job')} of {first.pipeline}
        <span className="quiet">
          , the first{' '}
          <Link className="row id" href={`/jobs/${first.id}`}>
            {first.id}
          </Link>
        </span>
      </span>
    );
  }
  return (
    <span>
      <Link className="row" href={`/jobs/${first.id}`}>
        {first.description ?? first.pipeline}
      </Link>{' '}
      <span className="quiet">
        {first.description !== null && `${first.pipeline} `}
        {first.source ?? `…${first.id.slice(-8)}`}
        {first.tags.length > 0 && ` · ${first.tags.join(', ')}`}
      </span>
    </span>
  );
}

/** `3 jobs and 5 runs of 2 schedules` */
function summary(entries: readonly Upcoming[]): string {
  let jobs = 0;
  const schedules = new Set<string>();
  let goesOn = false;
  let runs = 0;
  for (const entry of entries) {
    if (entry.kind === 'jobs') jobs += entry.jobs.length;
    else {
      schedules.add(entry.schedule.id);
      runs += entry.times.length;
      goesOn ||= entry.goesOn;
    }
  }
  const ofSchedules = `${goesOn ? 'more than ' : ''}${counted(runs, 'run')} of ${counted(schedules.size, 'schedule')}`;
  return [...(jobs > 0 ? [counted(jobs, 'job')] : []), ...(runs > 0 ? [ofSchedules] : [])].join(' and ');
}

function byDay(rows: readonly StillRow<Upcoming>[], now: number): [string, StillRow<Upcoming>[]][] {
  const days = new Map<string, StillRow<Upcoming>[]>();
  for (const row of rows) {
    const day = dayOf(row.value.atMs, now);
    days.set(day, [...(days.get(day) ?? []), row]);
  }
  return [...days];
}
