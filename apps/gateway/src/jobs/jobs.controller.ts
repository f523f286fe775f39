import { Body, Controller, Get, Header, Headers, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { type ListQuery, listQuery, logsQuery } from '#shared/contracts/ingest-request';
import type { AttemptView, JobPage, JobView } from '#shared/contracts/job';
import { JobReader, type LogView } from '#shared/store/jobs/job-reader';
import { noSuchJob } from '../events/job-id';
import { CallNotes } from '../http/call-notes';
import { decodeCursor, encodeCursor } from '../http/page-cursor';
import { NO_PARAMETERS, SchemaPipe } from '../http/schema-pipe';
import type { Reply } from './reply';
import { readSubmission } from './submission';
import { SubmitBatch } from './submit-batch';
import { SubmitJobs } from './submit-jobs';

/** Jobs: submitted, listed, looked at. */
@Controller('v1/ingest')
export class JobsController {
  constructor(
    private readonly jobs: SubmitJobs,
    private readonly batches: SubmitBatch,
    private readonly reader: JobReader,
    private readonly notes: CallNotes,
  ) {}

  /** 202 with the job; 200 when the same request with the same key was stored before. */
  @Post()
  @HttpCode(202)
  async submit(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<JobView> {
    const [result] = await this.jobs.submit([readSubmission(body, key)]);
    if (!result) throw new Error('a submission has no result');
    if (result.kind === 'refused') throw result.error;
    this.notes.set(request, { job: result.job.id });
    reply.header('Location', `/v1/ingest/${result.job.id}`);
    if (result.kind === 'repeated') reply.status(200);
    return result.job;
  }

  /** 202 with a job or a problem in the place of each. */
  @Post('batch')
  @HttpCode(202)
  @Header('Content-Type', 'application/json; charset=utf-8')
  async submitBatch(
    @Body() body: unknown,
    @Headers('idempotency-key') key: string | undefined,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<string> {
    const { text, created } = await this.batches.submit(body, key);
    const [first, last] = [created[0], created.at(-1)];
    if (first !== undefined && last !== undefined) {
      this.notes.set(request, { jobs: { count: created.length, first, last } });
    }
    return text;
  }

  @Get()
  async list(@Query(new SchemaPipe(listQuery)) query: ListQuery): Promise<JobPage> {
    const { limit, cursor, sort, ...filter } = query;
    const question = { sort, ...filter };
    const after = cursor === undefined ? undefined : decodeCursor(question, cursor);
    const { items, next } = await this.reader.list(filter, sort, limit, after);
    return { items, next_cursor: next && encodeCursor(question, next), has_more: next !== null };
  }

  @Get(':id')
  async get(@Param('id') id: string, @Query(NO_PARAMETERS) _: unknown): Promise<JobView> {
    return found(await this.reader.get(id), id);
  }

  @Get(':id/attempts')
  async attempts(@Param('id') id: string, @Query(NO_PARAMETERS) _: unknown): Promise<{ items: AttemptView[] }> {
    return { items: found(await this.reader.attempts(id), id) };
  }

  @Get(':id/logs')
  async logs(
    @Param('id') id: string,
    @Query(new SchemaPipe(logsQuery)) filter: { step?: string; attempt?: number },
  ): Promise<{ items: LogView[] }> {
    return { items: found(await this.reader.logs(id, filter), id) };
  }
}

function found<T>(value: T | null, id: string): T {
  if (value === null) throw noSuchJob(id);
  return value;
}
