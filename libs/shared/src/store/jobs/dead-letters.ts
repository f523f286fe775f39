import type { DataSource } from 'typeorm';
import type { DeadLetterFilter, DeadLetterGroup, DeadLetterView } from '#shared/contracts/dead-letter';
import { optionsWithoutSecrets } from '#shared/contracts/hidden-secrets';
import { jobStatesAllowing } from '#shared/domain/transitions';
import { BoundedReads, type BoundedReadsOptions } from '#shared/store/jobs/bounded-reads';
import {
  letterCountStatement,
  letterGroupsStatement,
  letterJobsStatement,
  letterListStatement,
  type LetterRow,
  READ_LETTER,
} from '#shared/store/jobs/dead-letter-statements';
import { isUuid, type ListPlace, type PageStatement } from '#shared/store/jobs/page-statement';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';

export interface LetterPageRead {
  readonly items: DeadLetterView[];
  /** Where the next page begins; null at the end. */
  readonly next: ListPlace | null;
}

export interface LetterCount {
  readonly matched: number;
  /** Of these, the ones of jobs that can be retried now. */
  readonly ended: number;
  /** The database's time of the count: what failed later does not belong to it. */
  readonly until: string;
}

/** A job with so many of the dead letters that were asked for. */
export interface LettersOfJob {
  readonly jobId: string;
  readonly letters: number;
}

/** Before every job. */
export const FIRST_JOB = '00000000-0000-0000-0000-000000000000';

/** Reads what failed for good. Rows are written and removed by the transactions that change their jobs. */
export class DeadLetters {
  private readonly reads: BoundedReads;

  constructor(
    private readonly database: DataSource,
    private readonly pipelines: PipelineStore,
    options: BoundedReadsOptions = {},
  ) {
    this.reads = new BoundedReads(database, options);
  }

  /** The dead letter; null when there is none of that id, well formed or not. */
  async get(id: string): Promise<DeadLetterView | null> {
    if (!isUuid(id)) return null;
    const [row]: LetterRow[] = await this.database.query(READ_LETTER, [id]);
    return row ? letterViewOf(row, this.pipelines) : null;
  }

  /**
   * A page of at most `limit`, the newest first; fewer when they are large.
   * @param after where the page before ended
   * @throws InvalidInput for a place that is none, Unavailable when it takes too long or too many ask at once
   */
  async list(filter: DeadLetterFilter, limit: number, after?: ListPlace): Promise<LetterPageRead> {
    type Row = LetterRow & { readonly place_at: string; readonly found: number };
    const rows = await this.read<Row>(letterListStatement(filter, limit, after));
    const items: DeadLetterView[] = [];
    for (const row of rows) items.push(await letterViewOf(row, this.pipelines));
    const last = rows.at(-1);
    return { items, next: last && last.found > rows.length ? [last.place_at, last.id] : null };
  }

  /** At most `limit` groups, the most frequent first, and whether there are more. @throws Unavailable as `list` does */
  async groups(filter: DeadLetterFilter, limit: number): Promise<{ items: DeadLetterGroup[]; hasMore: boolean }> {
    type Row = Omit<DeadLetterGroup, 'first_at' | 'last_at'> & { readonly first_at: Date; readonly last_at: Date };
    const rows = await this.read<Row>(letterGroupsStatement(filter, limit));
    const items = rows.slice(0, limit).map(({ fingerprint, count, pipeline, step, error, first_at, last_at }) => ({
      ...{ fingerprint, count, pipeline, step, error },
      first_at: first_at.toISOString(),
      last_at: last_at.toISOString(),
    }));
    return { items, hasMore: rows.length > limit };
  }

  /** How many there are. @throws Unavailable as `list` does */
  async count(filter: DeadLetterFilter): Promise<LetterCount> {
    const [row] = await this.read<LetterCount>(letterCountStatement(filter, jobStatesAllowing('retry')));
    if (!row) throw new Error('a count gave no row');
    return row;
  }

  /**
   * The next jobs, in the order of their ids, that have dead letters which a count has counted.
   * @throws Unavailable as `list` does
   */
  async jobs(filter: DeadLetterFilter, until: string, afterJobId: string, limit: number): Promise<LettersOfJob[]> {
    type Row = { readonly job_id: string; readonly letters: number };
    const rows = await this.read<Row>(letterJobsStatement(filter, until, afterJobId, limit));
    return rows.map(({ job_id, letters }) => ({ jobId: job_id, letters }));
  }

  private read<Row extends object>({ text, values }: PageStatement): Promise<Row[]> {
    return this.reads.run(
      async (client) => (await client.query<Row & Record<string, unknown>>(text, [...values])).rows,
    );
  }
}

/** With the options that the step had: the pipeline's as the job keeps it, and the job's own over them; secrets hidden. */
export async function letterViewOf(row: LetterRow, pipelines: PipelineStore): Promise<DeadLetterView> {
  const { definition } = pipelines.peek(row.pipeline_hash) ?? (await pipelines.get(row.pipeline_hash));
  const { id, job_id, pipeline, step, error, fingerprint, attempts, source, source_type, branch, commit, input } = row;
  const options = optionsWithoutSecrets({ ...definition.steps[row.idx]?.options, ...row.options });
  return {
    ...{ id, job_id, pipeline, step, error, fingerprint, attempts },
    payload: { source, source_type, branch, commit, input, options },
    created_at: row.created_at.toISOString(),
  };
}
