import type { NatsBus } from '#shared/bus/nats-bus';
import { type QueueBacklog, readBacklogs } from '#shared/bus/queue-look';
import type { FleetState, PoolState, QueueState } from '#shared/domain/usage/usage-figures';
import { Paced } from '#shared/runtime/paced';
import type { Database } from '#shared/store/database';
import { FleetReader, type FleetRows, type QueueRows } from '#shared/store/fleet-reader';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';

export interface FleetLookOptions {
  /** The process's own, where it has one: what it has read of pipelines is not read again. */
  readonly pipelines?: PipelineStore;
  /** Queues that are shown in any case, besides those of the workers and of what is at work. Default: `default`. */
  readonly queues?: readonly string[];
  /** Up to so many jobs at work, their steps are counted one by one; above that the stream is asked. */
  readonly mostJobs?: number;
}

const NATS_LIMIT_MS = 500;

/**
 * How the fleet stands now. It looks at most once a second and for at most a twentieth of the time, however many ask. What
 * is ready is counted step by step while few jobs are at work; of more, the stream says how many messages wait.
 */
export class FleetLook {
  private readonly reader: FleetReader;
  private closed = false;
  private readonly paced = new Paced(() => this.compose());

  constructor(
    database: Database,
    private readonly bus: NatsBus,
    private readonly options: FleetLookOptions = {},
  ) {
    this.reader = new FleetReader(database, options.pipelines ?? new PipelineStore(database), options.mostJobs);
  }

  /** Now, or a moment ago. @throws the database's error; NATS being away is none */
  look(): Promise<FleetState> {
    return this.paced.get();
  }

  /** Waits for the look under way; there is no other. */
  async close(): Promise<void> {
    this.closed = true;
    await this.paced.idle();
    await this.reader.close();
  }

  private async compose(): Promise<FleetState> {
    if (this.closed) throw new Error('nobody looks at the fleet any more');
    const rows = await this.reader.read();
    const names = [...new Set([...(this.options.queues ?? ['default']), ...rows.queues.keys()])].sort();
    const backlogs = await readBacklogs(this.bus, rows.complete ? [] : names, NATS_LIMIT_MS);
    return {
      pools: poolsCalled('resource:', rows),
      limits: poolsCalled('step:', rows),
      queues: new Map(names.map((name) => [name, queueStateOf(rows, rows.queues.get(name), backlogs.get(name))])),
      jobs: rows.jobs,
    };
  }
}

function poolsCalled(prefix: string, { pools }: FleetRows): ReadonlyMap<string, PoolState> {
  const ours = [...pools].filter(([name]) => name.startsWith(prefix));
  return new Map(ours.map(([name, pool]) => [name.slice(prefix.length), pool]));
}

const EMPTY: QueueRows = { ready: 0, readySince: null, parked: 0, parkedSince: null, running: 0, retrying: 0 };

/** @param backlog what the stream says; undefined when it was not asked, or did not answer */
export function queueStateOf(
  { at, complete }: Pick<FleetRows, 'at' | 'complete'>,
  rows: Readonly<QueueRows> = EMPTY,
  backlog?: QueueBacklog,
): QueueState {
  const { running, retrying } = rows;
  const ageOf = (...since: (number | null)[]): number | null => {
    const known = since.flatMap((each) => each ?? []);
    return known.length > 0 ? Math.max(0, (at - Math.min(...known)) / 1_000_000) : null;
  };
  if (complete) return { ready: rows.ready, running, retrying, oldestReadySeconds: ageOf(rows.readySince) };
  // Only the oldest jobs were looked at: how many steps are ready nobody knows, but since when.
  if (!backlog) return { ready: null, running, retrying, oldestReadySeconds: ageOf(rows.readySince, rows.parkedSince) };
  const oldestReadySeconds = ageOf(backlog.since, rows.parkedSince);
  return { ready: backlog.waiting + rows.parked, running, retrying, oldestReadySeconds };
}
