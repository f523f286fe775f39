import { Counter, Gauge, register } from 'prom-client';
import { JOB_STATUSES, OUTCOMES } from '#shared/domain/status';
import type { Sketch } from '#shared/domain/usage/sketch';
import type { FleetState, Usage } from '#shared/domain/usage/usage-figures';
import { Paced } from '#shared/runtime/paced';
import { within } from '#shared/runtime/within';
import { type JobCount, MOST_DEAD_LETTERS } from '#shared/store/usage/usage-reader';
import { histogramSeries, type Series, StoredHistogram } from './stored-histogram';

/** Where the figures come from. Each may fail: what cannot be read is not there, and said so. */
export interface FigureSource {
  readonly usage: {
    read(): Promise<Usage>;
    readJobCounts(): Promise<readonly JobCount[]>;
    countDeadLetters(): Promise<number>;
  };
  readonly fleet: { look(): Promise<FleetState> };
  readonly workers: { list(): Promise<readonly { readonly status: 'alive' | 'gone' }[]> };
  telemetryAgeSeconds(): number;
}

/** 1, 2 and 5 times each power of ten, which are thresholds of every sketch, up to the last power itself. */
function oneTwoFive(fromPower: number, toPower: number): number[] {
  const bounds: number[] = [];
  for (let power = fromPower; power < toPower; power++) {
    for (const factor of [1, 2, 5]) bounds.push(Number(`${factor}e${power}`));
  }
  return [...bounds, Number(`1e${toPower}`)];
}

/** What a sketch's values are, and what they become here. */
interface Unit {
  readonly bounds: readonly number[];
  readonly factor: number;
}

const MILLISECONDS: Unit = { bounds: oneTwoFive(0, 8), factor: 0.001 };
const SECONDS: Unit = { bounds: oneTwoFive(-2, 5), factor: 1 };
const PERCENT: Unit = { bounds: oneTwoFive(0, 4), factor: 1 };
const MEBIBYTES: Unit = { bounds: oneTwoFive(0, 6), factor: 1_048_576 };

type Labels = Readonly<Record<string, string>>;
interface Value {
  readonly labels: Labels;
  readonly value: number;
}

/**
 * Has `/metrics` say what is kept in Postgres, under the contract's names; so every metrics service says the same. What
 * is counted is never less than it was, and starts at 0: Prometheus does not see a rise to a series' first value. Labels
 * are names from the pipeline file, statuses and kinds, never ids.
 */
export function offerFigures(source: FigureSource): void {
  offerJobs(source);
  offerSteps(source);
  offerFleet(source);
}

function offerJobs({ usage }: FigureSource): void {
  offerCounter('sluice_jobs_total', 'Jobs that ever came to a status', ['pipeline', 'status'], async () => {
    const counts = await usage.readJobCounts();
    const enteredOf = new Map(counts.map(({ pipeline, status, entered }) => [`${status} ${pipeline}`, entered]));
    return [...new Set(counts.map(({ pipeline }) => pipeline))].flatMap((pipeline) =>
      JOB_STATUSES.map((status) => ({
        ...{ labels: { pipeline, status }, value: enteredOf.get(`${status} ${pipeline}`) ?? 0 },
      })),
    );
  });
  offerGauge('sluice_jobs', 'Jobs that are in a status now', ['status'], async () => {
    const counts = await usage.readJobCounts();
    return JOB_STATUSES.map((status) => ({
      labels: { status },
      value: counts.reduce((sum, count) => sum + (count.status === status ? count.current : 0), 0),
    }));
  });
  offerHistogram(
    'sluice_job_duration_seconds',
    'From the start of a job to its end, of jobs that ended',
    MILLISECONDS,
    async () => (await usage.read()).total.jobs.map((job) => [pick(job, 'pipeline', 'status'), job.durationMs]),
  );
  offerHistogram(
    'sluice_job_wait_seconds',
    'From when a job could begin to its first step, of jobs that began',
    MILLISECONDS,
    async () => (await usage.read()).total.waits.map((wait) => [pick(wait, 'pipeline'), wait.waitMs]),
  );
  offerHistogram(
    'sluice_schedule_lateness_seconds',
    'From when a delayed or recurring job was due, by the clock of the database, to its publication',
    SECONDS,
    async () => [[{}, (await usage.read()).total.latenessSeconds]],
  );
  offerGauge(
    'sluice_dead_letters',
    `Dead letters that are kept; ${MOST_DEAD_LETTERS} stands for more`,
    [],
    async () => [{ labels: {}, value: await usage.countDeadLetters() }],
  );
}

/** After other errors no step is tried again. */
const RETRIED_KINDS = ['transient', 'timeout'] as const;

function offerSteps({ usage }: FigureSource): void {
  const steps = async () => (await usage.read()).total.steps;
  offerCounter(
    'sluice_step_attempts_total',
    'Attempts that ended, by how they did',
    ['pipeline', 'step', 'outcome'],
    async () =>
      (await steps()).flatMap((step) =>
        OUTCOMES.map((outcome) => ({
          labels: { ...pick(step, 'pipeline', 'step'), outcome },
          value: step.usage.outcomes.get(outcome) ?? 0,
        })),
      ),
  );
  offerCounter(
    'sluice_step_retries_total',
    'Retries that were granted, by the kind of the error before them',
    ['pipeline', 'step', 'kind'],
    async () =>
      (await steps()).flatMap((step) =>
        RETRIED_KINDS.map((kind) => ({
          labels: { ...pick(step, 'pipeline', 'step'), kind },
          value: step.usage.retries.get(kind) ?? 0,
        })),
      ),
  );
  const offer = (name: string, help: string, unit: Unit, sketch: 'durationMs' | 'cpuPercent' | 'memoryMb'): void =>
    offerHistogram(name, help, unit, async () =>
      (await steps()).map((step) => [pick(step, 'pipeline', 'step'), step.usage[sketch]]),
    );
  offer('sluice_step_duration_seconds', 'How long an attempt took', MILLISECONDS, 'durationMs');
  offer('sluice_step_cpu_percent', 'CPU that an attempt used; 100 is one core all the time', PERCENT, 'cpuPercent');
  offer('sluice_step_memory_bytes', 'Memory that an attempt had at its peak', MEBIBYTES, 'memoryMb');
}

function offerFleet(source: FigureSource): void {
  const { fleet, workers } = source;
  const queues = async () => [...(await fleet.look()).queues];
  offerGauge('sluice_queue_depth', 'Steps of a queue: ready, running, retrying', ['queue', 'state'], async () =>
    (await queues()).flatMap(([queue, { ready, running, retrying }]) =>
      Object.entries({ ready, running, retrying }).flatMap(([state, value]) =>
        value === null ? [] : [{ labels: { queue, state }, value }],
      ),
    ),
  );
  offerGauge(
    'sluice_oldest_ready_seconds',
    'How long the oldest step that could begin has waited; 0: none waits',
    ['queue'],
    async () => (await queues()).map(([queue, state]) => ({ labels: { queue }, value: state.oldestReadySeconds ?? 0 })),
  );
  offerGauge('sluice_tokens_available', 'Tokens of a resource that nobody holds', ['pool'], async () =>
    [...(await fleet.look()).pools].map(([pool, { available }]) => ({ labels: { pool }, value: available })),
  );
  const alive = new Paced(async () => (await workers.list()).filter(({ status }) => status === 'alive').length);
  offerGauge('sluice_workers', 'Workers that are alive', [], async () => [{ labels: {}, value: await alive.get() }]);
  offerGauge(
    'sluice_telemetry_age_seconds',
    'For how long the telemetry stream has not answered, or what it gave could not be stored; below 5 while all is well',
    [],
    async () => [{ labels: {}, value: source.telemetryAgeSeconds() }],
  );
}

const pick = <Key extends string>(from: Readonly<Record<Key, string>>, ...keys: Key[]): Labels =>
  Object.fromEntries(keys.map((key) => [key, from[key]]));

type Read = () => Promise<readonly Value[]>;

/** All are read at once, and a scrape may take ten seconds: what is known of this process has to come in any case. */
const READ_LIMIT_MS = 3_000;

/** Nothing when it cannot be read: Prometheus knows what is not there from what is 0. */
const orNothing = async <T>(read: () => Promise<readonly T[]>): Promise<readonly T[]> =>
  (await within(read, READ_LIMIT_MS)) ?? [];

/** The last one offered under a name is asked: a process may hold several services, one after another. */
function offerCounter(name: string, help: string, labelNames: string[], read: Read): void {
  register.removeSingleMetric(name);
  const counter: Counter = new Counter({
    ...{ name, help, labelNames },
    collect: async () => {
      counter.reset();
      for (const { labels, value } of await orNothing(read)) counter.inc(labels, value);
    },
  });
}

function offerGauge(name: string, help: string, labelNames: string[], read: Read): void {
  register.removeSingleMetric(name);
  const gauge: Gauge = new Gauge({
    ...{ name, help, labelNames },
    collect: async () => {
      gauge.reset();
      // Without labels it would be 0.
      if (labelNames.length === 0) gauge.remove();
      for (const { labels, value } of await orNothing(read)) gauge.set(labels, value);
    },
  });
}

function offerHistogram(
  name: string,
  help: string,
  { bounds, factor }: Unit,
  read: () => Promise<readonly (readonly [Labels, Sketch])[]>,
): void {
  register.removeSingleMetric(name);
  const values = async (): Promise<Series[]> =>
    (await orNothing(read)).flatMap(([labels, sketch]) => histogramSeries(name, labels, sketch, bounds, factor));
  new StoredHistogram({ name, help }, values);
}
