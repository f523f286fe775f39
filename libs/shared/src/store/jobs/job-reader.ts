import type { DataSource } from 'typeorm';
import type { ListFilter, ListSort } from '#shared/contracts/ingest-request';
import type { AttemptView, JobView } from '#shared/contracts/job';
import { InvalidInput } from '#shared/domain/errors';
import { execute, withClient } from '#shared/store/database';
import { BoundedReads, type BoundedReadsOptions } from '#shared/store/jobs/bounded-reads';
import { listStatement } from '#shared/store/jobs/job-reader-list';
import {
  type AttemptRecord,
  type JobWithSteps,
  type LogRecord,
  READ_ATTEMPTS,
  READ_JOBS,
  READ_KEYS,
  READ_LOGS,
  READ_VERSIONS,
} from '#shared/store/jobs/job-reader-statements';
import { jobViewOf } from '#shared/store/jobs/job-view';
import { isUuid, type ListPlace } from '#shared/store/jobs/page-statement';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';

export interface JobPageRead {
  readonly items: JobView[];
  /** Where the next page begins; null at the end. */
  readonly next: ListPlace | null;
}

/** A line that a handler logged. */
export interface LogView {
  readonly at: string;
  readonly level: LogRecord['level'];
  readonly step: string;
  readonly attempt: number;
  readonly message: string;
}

/** Reads jobs for those who ask about them. Every answer is of one moment: one statement each. */
export class JobReader {
  private readonly lists: BoundedReads;

  constructor(
    private readonly database: DataSource,
    private readonly pipelines: PipelineStore,
    options: BoundedReadsOptions = {},
  ) {
    this.lists = new BoundedReads(database, options);
  }

  /** The job; null when there is none of that id, well formed or not. */
  async get(id: string): Promise<JobView | null> {
    if (!isUuid(id)) return null;
    return (await this.getMany([id])).get(id.toLowerCase()) ?? null;
  }

  /** Those of the jobs that exist, by id. @param ids UUIDs */
  async getMany(ids: readonly string[]): Promise<ReadonlyMap<string, JobView>> {
    const rows = await withClient(this.database, (client) => execute<JobWithSteps>(client, READ_JOBS, [ids]));
    const views = await this.viewsOf(rows);
    return new Map(views.map((view) => [view.id, view]));
  }

  /** Which jobs have these idempotency keys, and for which requests. */
  async byKeys(keys: readonly string[]): Promise<ReadonlyMap<string, { id: string; requestHash: string | null }>> {
    type Row = { readonly id: string; readonly idempotency_key: string; readonly request_hash: string | null };
    const rows = await withClient(this.database, (client) => execute<Row>(client, READ_KEYS, [keys]));
    return new Map(rows.map((row) => [row.idempotency_key, { id: row.id, requestHash: row.request_hash }]));
  }

  /** The versions of those of the jobs that exist. @param ids UUIDs */
  async versions(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const rows = await withClient(this.database, (client) =>
      execute<{ id: string; version: number }>(client, READ_VERSIONS, [ids]),
    );
    return new Map(rows.map((row) => [row.id, row.version]));
  }

  /**
   * A page of at most `limit` jobs; fewer when they are large.
   * @param after where the page before ended
   * @throws InvalidInput for a place that is none, Unavailable when it takes too long or too many ask at once
   */
  async list(filter: ListFilter, sort: ListSort, limit: number, after?: ListPlace): Promise<JobPageRead> {
    type Row = JobWithSteps & { readonly part: number; readonly place_at: string; readonly found: number };
    const { text, values } = listStatement(filter, sort, limit, after);
    const rows = await this.lists.run(async (client) => (await client.query<Row>(text, [...values])).rows);
    const last = rows.at(-1);
    return {
      items: await this.viewsOf(rows),
      next: last && last.found > rows.length ? [last.part, last.place_at, last.id] : null,
    };
  }

  /** Every attempt of every step, in the pipeline's order; null when there is no such job. */
  async attempts(id: string): Promise<AttemptView[] | null> {
    if (!isUuid(id)) return null;
    type Row = { readonly pipeline_hash: string; readonly attempts: AttemptRecord[] | null };
    const [row] = await withClient(this.database, (client) => execute<Row>(client, READ_ATTEMPTS, [id]));
    if (!row) return null;
    const { definition } = await this.pipelineOf(row.pipeline_hash);
    return (row.attempts ?? []).map(({ idx, started_at, finished_at, ...attempt }) => ({
      step: definition.steps[idx]?.name ?? '',
      ...attempt,
      started_at: new Date(started_at).toISOString(),
      finished_at: finished_at === null ? null : new Date(finished_at).toISOString(),
    }));
  }

  /**
   * The last lines that handlers logged, the oldest first; null when there is no such job.
   * @throws InvalidInput for a step that the job does not have
   */
  async logs(id: string, filter: { readonly step?: string; readonly attempt?: number }): Promise<LogView[] | null> {
    if (!isUuid(id)) return null;
    const [job]: { pipeline_hash: string }[] = await this.database.query(
      'SELECT pipeline_hash FROM jobs WHERE id = $1',
      [id],
    );
    if (!job) return null;
    const { steps } = (await this.pipelineOf(job.pipeline_hash)).definition;
    const idx = filter.step === undefined ? null : steps.findIndex((step) => step.name === filter.step);
    if (idx === -1) throw new InvalidInput([{ path: 'step', message: 'is none of the job' }]);
    const rows = await withClient(this.database, (client) =>
      execute<LogRecord>(client, READ_LOGS, [id, idx, filter.attempt ?? null]),
    );
    return rows.map((row) => ({
      at: row.at.toISOString(),
      level: row.level,
      step: steps[row.idx]?.name ?? '',
      attempt: row.attempt,
      message: row.message,
    }));
  }

  private async viewsOf(rows: readonly JobWithSteps[]): Promise<JobView[]> {
    const views: JobView[] = [];
    for (const row of rows) {
      const pipeline = await this.pipelineOf(row.pipeline_hash);
      const masks = { done: BigInt(row.done), dead: BigInt(row.dead), open: BigInt(row.open) };
      views.push(jobViewOf({ ...row, ...masks }, row.steps ?? [], pipeline, row.now));
    }
    return views;
  }

  private pipelineOf(hash: string): StoredPipeline | Promise<StoredPipeline> {
    return this.pipelines.peek(hash) ?? this.pipelines.get(hash);
  }
}
