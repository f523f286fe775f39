import { Body, Controller, Delete, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import {
  emptyRequest,
  type RescheduleRequest,
  rescheduleRequest,
  retryRequest,
} from '#shared/contracts/ingest-request';
import type { JobView } from '#shared/contracts/job';
import { CallNotes } from '../http/call-notes';
import { NO_PARAMETERS, SchemaPipe } from '../http/schema-pipe';
import { CancelJob } from './cancel-job';
import { DeleteJob } from './delete-job';
import type { Reply } from './reply';
import { RescheduleJob } from './reschedule-job';
import { RetryJob } from './retry-job';

/** Jobs: stopped, set going again, given another time, deleted. */
@Controller('v1/ingest/:id')
export class JobChangesController {
  constructor(
    private readonly cancels: CancelJob,
    private readonly retries: RetryJob,
    private readonly reschedules: RescheduleJob,
    private readonly deletions: DeleteJob,
    private readonly notes: CallNotes,
  ) {}

  /** 202 with the job; 200 when it had ended before. */
  @Post('cancel')
  @HttpCode(202)
  async cancel(
    @Param('id') id: string,
    @Body(new SchemaPipe(emptyRequest)) _body: unknown,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<JobView> {
    const { job, accepted } = await this.cancels.cancel(id);
    this.notes.set(request, { job: job.id, job_status: job.status });
    if (!accepted) reply.status(200);
    return job;
  }

  @Post('retry')
  @HttpCode(202)
  async retry(
    @Param('id') id: string,
    @Body(new SchemaPipe(retryRequest)) { fromStep }: { fromStep: string | null },
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<JobView> {
    const job = await this.retries.retry(id, fromStep);
    this.notes.set(request, { job: job.id, ...(fromStep !== null && { from_step: fromStep }) });
    return job;
  }

  @Post('reschedule')
  @HttpCode(200)
  async reschedule(
    @Param('id') id: string,
    @Body(new SchemaPipe(rescheduleRequest)) start: RescheduleRequest,
    @Query(NO_PARAMETERS) _: unknown,
    @Req() request: object,
  ): Promise<JobView> {
    const job = await this.reschedules.reschedule(id, start);
    this.notes.set(request, { job: job.id, job_status: job.status, eta: job.eta });
    return job;
  }
  @Delete()
  @HttpCode(204)
  async delete(@Param('id') id: string, @Query(NO_PARAMETERS) _: unknown, @Req() request: object): Promise<void> {
    this.notes.set(request, { job: id.slice(0, 100) });
    await this.deletions.delete(id);
  }
}
