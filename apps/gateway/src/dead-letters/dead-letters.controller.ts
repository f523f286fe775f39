import { Body, Controller, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import {
  type DeadLetterGroups,
  type DeadLetterPage,
  type DeadLetterQuery,
  deadLetterQuery,
  type DeadLetterView,
  type RedriveRequest,
  redriveRequest,
  type RedriveResult,
} from '#shared/contracts/dead-letter';
import { emptyRequest } from '#shared/contracts/ingest-request';
import type { JobView } from '#shared/contracts/job';
import { NotFound } from '#shared/domain/errors';
import { DeadLetters } from '#shared/store/jobs/dead-letters';
import { CallNotes } from '../http/call-notes';
import { decodeCursor, encodeCursor } from '../http/page-cursor';
import { NO_PARAMETERS, SchemaPipe } from '../http/schema-pipe';
import { RedriveDeadLetters } from './redrive-dead-letters';

/** What failed for good: looked at, grouped, redriven. */
@Controller('v1/dead_letters')
export class DeadLettersController {
  constructor(
    private readonly letters: DeadLetters,
    private readonly redrives: RedriveDeadLetters,
    private readonly notes: CallNotes,
  ) {}

  @Get()
  async list(
    @Query(new SchemaPipe(deadLetterQuery)) query: DeadLetterQuery,
  ): Promise<DeadLetterPage | DeadLetterGroups> {
    const { limit, cursor, group_by, ...filter } = query;
    if (group_by !== undefined) {
      const { items, hasMore } = await this.letters.groups(filter, limit);
      return { items, has_more: hasMore };
    }
    const question = ['dead_letters', filter];
    const after = cursor === undefined ? undefined : decodeCursor(question, cursor);
    const { items, next } = await this.letters.list(filter, limit, after);
    return { items, next_cursor: next && encodeCursor(question, next), has_more: next !== null };
  }

  @Get(':id')
  async get(@Param('id') id: string, @Query(NO_PARAMETERS) _: unknown): Promise<DeadLetterView> {
    const letter = await this.letters.get(id);
    if (letter === null) throw new NotFound('dead letter', id.slice(0, 100));
    return letter;
  }

  /** 200 with how many there were, went on and were skipped. */
  @Post('redrive')
  @HttpCode(200)
  async redriveMany(
    @Body(new SchemaPipe(redriveRequest)) { filter, dryRun }: RedriveRequest,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<RedriveResult> {
    this.notes.set(request, { filter });
    const result = await this.redrives.many(filter, dryRun);
    if (!dryRun) this.notes.set(request, { filter, redriven: result });
    return result;
  }

  /** 202 with the job, which goes on. */
  @Post(':id/redrive')
  @HttpCode(202)
  async redrive(
    @Param('id') id: string,
    @Body(new SchemaPipe(emptyRequest)) _body: unknown,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<JobView> {
    const job = await this.redrives.one(id);
    this.notes.set(request, { job: job.id });
    return job;
  }
}
