import type { JsonObject } from '#shared/domain/json';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import type { JobFields, Micros, StepRow } from '#shared/domain/turn/job-draft';
import { newRow } from '#shared/domain/turn/job-draft';
import { type Database, openDatabase } from '#shared/store/database';
import { PipelineStore, type StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { NOW } from '../support/drafts';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import type { StoredJob } from '../support/turn-walk';

/** A job to be put into the tables as it stands. */
export interface JobToPut {
  readonly fields?: Partial<JobFields>;
  readonly rows?: readonly (Partial<StepRow> & { readonly idx: number })[];
  readonly attempts?: StoredJob['attempts'];
}

/** A database of a spec's own, with connections and what it takes to see everything that is in it. */
export interface CoreStage {
  readonly server: TestDatabase;
  readonly pipelines: PipelineStore;
  /** Another pool of connections, closed with the stage. */
  connect(poolSize?: number): Promise<Database>;
  /** Puts a job straight into the tables. @returns its id */
  put(pipeline: StoredPipeline, job?: JobToPut): Promise<string>;
  /** Everything that the tables know of a job. */
  read(id: string): Promise<StoredJob & { readonly versions: JobVersions }>;
  /** All rows of all tables that a job may change, as text. */
  dump(): Promise<string[]>;
  save(definition: PipelineDefinition): Promise<StoredPipeline>;
  close(): Promise<void>;
}

interface JobVersions {
  readonly due_at: Date | null;
  readonly queued_at: Date | null;
  readonly created_at: Date;
}

const TABLES = ['jobs', 'steps', 'attempts', 'pools', 'workers'];
const DUMP = `${TABLES.map((table) => `SELECT '${table} ' || to_jsonb(t)::text AS line FROM ${table} t`).join(' UNION ALL ')} ORDER BY 1`;

let ids = 0;

/** Ids that sort as they were made. */
export const newJobId = (): string => `0190a0b0-0000-7000-8000-${(ids += 1).toString(16).padStart(12, '0')}`;

export async function openStage(): Promise<CoreStage> {
  const server = await createTestDatabase();
  const databases: Database[] = [];
  const connect = async (poolSize = 4): Promise<Database> => {
    const database = await openDatabase({ url: server.url, applicationName: 'core-spec', poolSize });
    databases.push(database);
    return database;
  };
  const pipelines = new PipelineStore(await connect(2));
  return {
    server,
    pipelines,
    connect,
    save: (definition) => pipelines.save(definition),
    put: (pipeline, job) => put(server, pipeline, job ?? {}),
    read: (id) => read(server, id),
    dump: async () => (await server.query<{ line: string }>(DUMP)).map(({ line }) => line),
    async close() {
      for (const database of databases) await database.destroy();
      await server.drop();
    },
  };
}

const time = (micros: Micros | null): string | null =>
  micros === null
    ? null
    : `${new Date(Math.floor(micros / 1_000)).toISOString().slice(0, -1)}${String(micros % 1_000).padStart(3, '0')}Z`;

async function put(server: TestDatabase, pipeline: StoredPipeline, job: JobToPut): Promise<string> {
  const { graph } = pipeline;
  const fields: JobFields = {
    ...{
      id: newJobId(),
      priority: 'default',
      run: 1,
      status: 'running',
      done: 0n,
      dead: 0n,
      open: graph.roots,
      slow: 0n,
    },
    ...{ version: 1, dispatchedAt: NOW, startedAt: null, completedAt: null },
    ...job.fields,
  };
  await server.query(
    `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, run, all_steps, roots, done, dead, open, slow, version,
                       dispatched_at, started_at, completed_at, queued_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $14)`,
    [
      ...[fields.id, pipeline.hash, pipeline.definition.name, fields.status, fields.priority, fields.run],
      ...[graph.all, graph.roots, fields.done, fields.dead, fields.open, fields.slow].map(String),
      ...[fields.version, time(fields.dispatchedAt), time(fields.startedAt), time(fields.completedAt)],
    ],
  );
  for (const given of job.rows ?? []) {
    const row = { ...newRow(given.idx), ...given };
    await server.query(
      `INSERT INTO steps (job_id, idx, status, epoch, attempts, worker, turn, retry_count, crashes, next_retry_at,
                          awaits_scheduler, held, started_at, completed_at, duration_ms, cpu_percent, memory_mb, last_error,
                          output, waits_for)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
      [
        ...[fields.id, row.idx, row.status, row.epoch, row.attempts, row.worker, row.turn, row.retryCount, row.crashes],
        ...[time(row.nextRetryAt), row.awaitsScheduler, row.held, time(row.startedAt), time(row.completedAt)],
        ...[row.durationMs, row.cpuPercent, row.memoryMb, row.lastError && JSON.stringify(row.lastError)],
        ...[row.output ? JSON.stringify(row.output) : null, row.waitsFor],
      ],
    );
  }
  for (const ended of job.attempts ?? []) {
    await server.query(
      `INSERT INTO attempts (job_id, idx, epoch, number, worker, outcome, started_at, finished_at, duration_ms, cpu_percent,
                             memory_mb, error, next_delay_ms)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        ...[fields.id, ended.idx, ended.epoch, ended.number, ended.worker, ended.outcome],
        ...[time(ended.startedAt), time(ended.finishedAt), ended.durationMs, ended.cpuPercent, ended.memoryMb],
        ...[ended.error && JSON.stringify(ended.error), ended.nextDelayMs],
      ],
    );
  }
  return fields.id;
}

const us = (column: string): string => `round(extract(epoch FROM ${column}) * 1000000)::float8`;

/** By statements of its own: what writes is not asked what it has written. */
async function read(server: TestDatabase, id: string): Promise<StoredJob & { versions: JobVersions }> {
  type Row = Omit<JobFields, 'done' | 'dead' | 'open' | 'slow'> &
    Record<'done' | 'dead' | 'open' | 'slow', string> &
    JobVersions;
  const [job] = await server.query<Row>(
    `SELECT id, priority, run, status, done, dead, open, slow, version, ${us('dispatched_at')} AS "dispatchedAt",
            ${us('started_at')} AS "startedAt", ${us('completed_at')} AS "completedAt", due_at, queued_at, created_at
     FROM jobs WHERE id = $1`,
    [id],
  );
  if (!job) throw new Error(`there is no job ${id}`);
  const { due_at, queued_at, created_at, ...rest } = job;
  const masks = { done: BigInt(job.done), dead: BigInt(job.dead), open: BigInt(job.open), slow: BigInt(job.slow) };
  const rows = await server.query<StepRow & { output: JsonObject | null }>(
    `SELECT idx, status, epoch, attempts, worker, turn, retry_count AS "retryCount", crashes,
            ${us('next_retry_at')} AS "nextRetryAt", awaits_scheduler AS "awaitsScheduler", held,
            ${us('started_at')} AS "startedAt", ${us('completed_at')} AS "completedAt", duration_ms AS "durationMs",
            cpu_percent AS "cpuPercent", memory_mb AS "memoryMb", last_error AS "lastError", output,
            waits_for AS "waitsFor"
     FROM steps WHERE job_id = $1 ORDER BY idx`,
    [id],
  );
  const attempts = await server.query<StoredJob['attempts'][number]>(
    `SELECT idx, epoch, number, worker, outcome, ${us('started_at')} AS "startedAt", ${us('finished_at')} AS "finishedAt",
            duration_ms AS "durationMs", cpu_percent AS "cpuPercent", memory_mb AS "memoryMb", error,
            next_delay_ms AS "nextDelayMs"
     FROM attempts WHERE job_id = $1 ORDER BY idx, number`,
    [id],
  );
  return { fields: { ...rest, ...masks }, rows, attempts, versions: { due_at, queued_at, created_at } };
}
