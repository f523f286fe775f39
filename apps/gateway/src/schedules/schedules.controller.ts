import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query, Req, Res } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import { emptyRequest } from '#shared/contracts/ingest-request';
import type { JobView } from '#shared/contracts/job';
import {
  type SchedulePage,
  type SchedulePatch,
  schedulePatch,
  type ScheduleQuery,
  scheduleQuery,
  type ScheduleRequest,
  scheduleRequest,
  type ScheduleView,
} from '#shared/contracts/schedule';
import { NotFound } from '#shared/domain/errors';
import { Schedules } from '#shared/store/schedules/schedules';
import { CallNotes } from '../http/call-notes';
import { decodeCursor, encodeCursor } from '../http/page-cursor';
import { NO_PARAMETERS, SchemaPipe } from '../http/schema-pipe';
import type { Reply } from '../jobs/reply';
import { RunSchedule } from './run-schedule';
import { ScheduleCheck } from './schedule-check';
import { ScheduleWake } from './schedule-wake';

/** Recurring jobs: made, seen, changed, removed, and run out of turn. */
@Controller('v1/schedules')
export class SchedulesController {
  constructor(
    private readonly schedules: Schedules,
    private readonly check: ScheduleCheck,
    private readonly runs: RunSchedule,
    private readonly wake: ScheduleWake,
    private readonly notes: CallNotes,
  ) {}

  @Post()
  @HttpCode(201)
  async create(
    @Body(new SchemaPipe(scheduleRequest)) body: ScheduleRequest,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<ScheduleView> {
    const job = await this.check.check(body.job);
    const schedule = await this.schedules.create(uuidv7(), { ...body, job });
    this.notes.set(request, { schedule: schedule.id });
    this.wake.wake();
    reply.header('Location', `/v1/schedules/${schedule.id}`);
    return schedule;
  }

  @Get()
  async list(@Query(new SchemaPipe(scheduleQuery)) query: ScheduleQuery): Promise<SchedulePage> {
    const { limit, cursor, enabled } = query;
    const question = ['schedules', enabled];
    const after = cursor === undefined ? undefined : decodeCursor(question, cursor);
    const { items, next } = await this.schedules.list(enabled, limit, after);
    return { items, next_cursor: next && encodeCursor(question, next), has_more: next !== null };
  }

  @Get(':id')
  async get(@Param('id') id: string, @Query(NO_PARAMETERS) _: unknown): Promise<ScheduleView> {
    return found(await this.schedules.get(id), id);
  }

  @Patch(':id')
  async update(
    @Param('id') id: string,
    @Body(new SchemaPipe(schedulePatch)) patch: SchedulePatch,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<ScheduleView> {
    const job = patch.job && (await this.check.check(patch.job));
    const schedule = found(await this.schedules.update(id, { ...patch, job }), id);
    this.notes.set(request, { schedule: schedule.id, changed: Object.keys(patch) });
    this.wake.wake();
    return schedule;
  }

  /** Its jobs stay, those that run too. */
  @Delete(':id')
  @HttpCode(204)
  async remove(
    @Param('id') id: string,
    @Body(new SchemaPipe(emptyRequest)) _body: unknown,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<void> {
    if (!(await this.schedules.remove(id))) throw noSuch(id);
    this.notes.set(request, { schedule: id });
  }

  /** 202 with the job, whatever else of the schedule runs, and though it is disabled. */
  @Post(':id/run')
  @HttpCode(202)
  async run(
    @Param('id') id: string,
    @Body(new SchemaPipe(emptyRequest)) _body: unknown,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<JobView> {
    const job = await this.runs.run(found(await this.schedules.get(id), id));
    this.notes.set(request, { schedule: id, job: job.id });
    reply.header('Location', `/v1/ingest/${job.id}`);
    return job;
  }
}

function found<T>(value: T | null, id: string): T {
  if (value === null) throw noSuch(id);
  return value;
}

const noSuch = (id: string): NotFound => new NotFound('schedule', id.slice(0, 100));
