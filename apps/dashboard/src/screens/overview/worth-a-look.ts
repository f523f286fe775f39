import type { DeadLetterGroups } from '#shared/contracts/dead-letter';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { counted, longDuration } from '#shared/domain/words';

/** Something that a person should look at. */
export interface Problem {
  readonly key: string;
  /** `bad`: something does not work. `warn`: it may soon not. */
  readonly weight: 'bad' | 'warn';
  readonly what: string;
  /** More about it; empty: there is none. */
  readonly more: string;
  /** A time that belongs to it and what it is, e.g. `since`. */
  readonly when?: { readonly word: string; readonly at: string };
  /** Where what it is about is listed. */
  readonly href: string;
}

/** What is known. Null: it was not read yet, or cannot be. */
export interface Seen {
  readonly status: ResourceStatus | null;
  readonly deadLetters: DeadLetterGroups | null;
  /** The scheduled job that is due first, and when it was looked for. */
  readonly firstDue: { readonly eta: string | null; readonly seenAtMs: number } | null;
  /** When the figures last were not stale; null: never, as far as this page knows. */
  readonly freshAtMs: number | null;
  /** The history of the hour could not be read. */
  readonly historyIsStale: boolean;
  /** What the gateway would not say, by name. */
  readonly unread: readonly string[];
}

/** A scheduled job begins within a second of its time; a page may have been read some seconds before. */
const LATE_MS = 15_000;
const LONG_WAIT_SECONDS = 60;
const TOO_LONG_WAIT_SECONDS = 600;
const MANY_RETRIES = 5;
const MANY_RETRIES_SHARE = 0.2;
const FAILING_SHARE = 0.05;
const FAILING_BADLY_SHARE = 0.5;
/** More of one kind are counted, not listed. */
const MOST_OF_A_KIND = 5;

/** Everything that needs a look, the worst first. Empty: nothing does, of what is known. */
export function worthALook(seen: Seen): Problem[] {
  const { status, deadLetters, firstDue, unread } = seen;
  const found = [
    ...unread.map(unreadOf),
    ...(status ? [...workersOf(status), ...pipelinesOf(status), ...stepsOf(status), ...queuesOf(status)] : []),
    ...(deadLetters ? deadLettersOf(deadLetters) : []),
    ...(firstDue ? lateOf(firstDue) : []),
    ...staleOf(seen),
  ];
  return [...found.filter(({ weight }) => weight === 'bad'), ...found.filter(({ weight }) => weight === 'warn')];
}

const unreadOf = (name: string): Problem => ({
  ...{ key: `unread ${name}`, weight: 'warn', what: `${name} could not be read`, href: '/resources' },
  more: 'so they are not judged here; it is tried again by itself',
});

function workersOf({ workers, jobs, stale }: ResourceStatus): Problem[] {
  const gone = workers.filter(({ status }) => status === 'gone');
  const lastSeen = gone
    .map(({ last_seen: at }) => at)
    .sort()
    .at(-1);
  const when = lastSeen === undefined ? {} : { when: { word: 'last seen', at: lastSeen } };
  const href = '/resources#workers';
  if (gone.length === workers.length) {
    // Without the metrics service and Postgres nobody knows whether there are any.
    if (stale && workers.length === 0) return [];
    const left = (jobs['pending'] ?? 0) + (jobs['running'] ?? 0);
    return [
      {
        ...{ key: 'no worker', weight: 'bad', what: 'No worker is alive', ...when, href },
        more: `${counted(left, 'job')} cannot go on until one is started`,
      },
    ];
  }
  if (gone.length === 0) return [];
  return [
    {
      ...{ key: 'workers gone', weight: 'warn', ...when, href },
      what: `${counted(gone.length, 'worker')} ${gone.length === 1 ? 'has' : 'have'} gone`,
      more: `${gone
        .slice(0, MOST_OF_A_KIND)
        .map(({ name }) => name)
        .join(', ')}${gone.length > MOST_OF_A_KIND ? ' …' : ''}; their steps are taken over by the others`,
    },
  ];
}

function pipelinesOf({ metrics }: ResourceStatus): Problem[] {
  const failing = Object.entries(metrics.pipelines)
    .map(([name, { job_count: ended, failed }]) => ({ name, ended, failed, share: ended === 0 ? 0 : failed / ended }))
    .filter(({ failed, share }) => failed > 0 && share >= FAILING_SHARE)
    .sort((a, b) => b.share - a.share || b.failed - a.failed);
  return firstOf(
    failing.map(({ name, ended, failed, share }) => ({
      key: `failing ${name}`,
      weight: share >= FAILING_BADLY_SHARE ? 'bad' : 'warn',
      what: `${failed} of ${counted(ended, 'run')} of ${name} failed`,
      more: `${Math.round(share * 100)} % of those that ended in the last hour; each retry of a job is a run`,
      href: `/jobs?${new URLSearchParams({ status: 'failed', pipeline: name })}`,
    })),
    { noun: 'pipeline', does: 'with failures', href: '/jobs?status=failed' },
  );
}

function stepsOf({ metrics }: ResourceStatus): Problem[] {
  const retried = Object.entries(metrics.pipelines)
    .flatMap(([pipeline, { steps }]) =>
      Object.entries(steps).map(([step, figures]) => ({ pipeline, step, ...figures })),
    )
    .filter(({ retries, attempts }) => retries >= MANY_RETRIES && retries >= attempts * MANY_RETRIES_SHARE)
    .sort((a, b) => b.retries - a.retries);
  return firstOf(
    retried.map(({ pipeline, step, retries, attempts }) => ({
      ...{ key: `retried ${pipeline}/${step}`, weight: 'warn' },
      what: `${pipeline}/${step} was retried ${retries} times`,
      more: `in ${counted(attempts, 'attempt')} of the last hour`,
      href: `/jobs?${new URLSearchParams({ status: 'retrying', pipeline })}`,
    })),
    { noun: 'step', does: 'with many retries', href: '/jobs?status=retrying' },
  );
}

function firstOf(problems: Problem[], { noun, does, href }: { noun: string; does: string; href: string }): Problem[] {
  const rest = problems.length - MOST_OF_A_KIND;
  if (rest <= 0) return problems;
  const more: Problem = {
    key: `more ${noun}`,
    weight: 'warn',
    what: `${counted(rest, `more ${noun}`)} ${does}`,
    more: '',
    href,
  };
  return [...problems.slice(0, MOST_OF_A_KIND), more];
}

function queuesOf({ queues }: ResourceStatus): Problem[] {
  const entries = Object.entries(queues);
  const unknown = entries.filter(([, { ready }]) => ready === null).map(([name]) => name);
  const waiting = entries.flatMap(([name, { oldest_ready_seconds: seconds, ready, running }]): Problem[] =>
    seconds === null || seconds < LONG_WAIT_SECONDS
      ? []
      : [
          {
            ...{ key: `waiting ${name}`, weight: seconds < TOO_LONG_WAIT_SECONDS ? 'warn' : 'bad' },
            what: `A step in queue ${name} has been ready for ${longDuration(seconds * 1_000)}`,
            more: `${ready === null ? '' : `${ready} ready, `}${running} running: workers are busy, away or paused, or tokens are used up`,
            href: '/jobs?status=pending&status=running',
          },
        ],
  );
  if (unknown.length === 0) return waiting;
  const what = `How deep ${unknown.length === 1 ? 'queue' : 'queues'} ${unknown.join(', ')} ${unknown.length === 1 ? 'is' : 'are'} is not known`;
  return [
    ...waiting,
    { key: 'depth unknown', weight: 'warn', what, more: 'NATS does not say', href: '/resources#queues' },
  ];
}

function deadLettersOf({ items, has_more: hasMore }: DeadLetterGroups): Problem[] {
  const [first] = items;
  if (!first) return [];
  const count = items.reduce((sum, group) => sum + group.count, 0);
  const last = items.map(({ last_at: at }) => at).reduce((a, b) => (a > b ? a : b));
  return [
    {
      ...{ key: 'dead letters', weight: 'bad', href: '/dead-letters', when: { word: 'the last', at: last } },
      what: `${hasMore ? 'More than ' : ''}${counted(count, 'dead letter')}`,
      more: `steps that failed for good; most often ${first.pipeline}/${first.step}: ${first.error.message} (${first.count} ×)`,
    },
  ];
}

function lateOf({ eta, seenAtMs }: NonNullable<Seen['firstDue']>): Problem[] {
  if (eta === null || seenAtMs - Date.parse(eta) < LATE_MS) return [];
  return [
    {
      ...{ key: 'late', weight: 'bad', what: 'Scheduled jobs are late', when: { word: 'the first was due', at: eta } },
      more: 'the scheduler does not hand them out',
      href: '/scheduled',
    },
  ];
}

function staleOf({ status, freshAtMs, historyIsStale }: Seen): Problem[] {
  const problems: Problem[] = [];
  if (status?.stale) {
    const when = freshAtMs === null ? {} : { when: { word: 'fresh', at: new Date(freshAtMs).toISOString() } };
    const more = 'the metrics service does not answer; the gateway shows what it can read itself';
    problems.push({ key: 'stale', weight: 'warn', what: 'Figures may be old', more, ...when, href: '/resources' });
  }
  if (historyIsStale) {
    const more = 'the database does not answer';
    problems.push({
      key: 'stale hour',
      weight: 'warn',
      what: 'The last hour is as it was known last',
      more,
      href: '/resources',
    });
  }
  return problems;
}
