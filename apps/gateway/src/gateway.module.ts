import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { HealthModule } from '#shared/runtime/health/health.module';
import { natsPart, postgresPart } from '#shared/runtime/health/server-parts';
import { metricsEndpoint } from '#shared/runtime/metrics-endpoint';
import { Cancels } from '#shared/store/jobs/cancels';
import { DeleteJobs } from '#shared/store/jobs/delete-jobs';
import { JobReader } from '#shared/store/jobs/job-reader';
import { JobPlans } from '#shared/store/jobs/job-plans';
import { WorkerReader } from '#shared/store/worker-reader';
import { DeadLettersModule } from './dead-letters/dead-letters.module';
import { BusEvents } from './events/bus-events';
import { EventsModule } from './events/events.module';
import type { GatewayParts } from './gateway-parts';
import { GraphModule } from './graph/graph.module';
import { CallNotes } from './http/call-notes';
import { ProblemFilter } from './http/problem.filter';
import { CancelJob } from './jobs/cancel-job';
import { ChangeAnnouncer } from './jobs/change-announcer';
import { DeleteJob } from './jobs/delete-job';
import { JobAnnouncer } from './jobs/job-announcer';
import { JobChangesController } from './jobs/job-changes.controller';
import { JobsController } from './jobs/jobs.controller';
import { RescheduleJob } from './jobs/reschedule-job';
import { RetryJob } from './jobs/retry-job';
import { SubmissionCheck } from './jobs/submission-check';
import { SubmitBatch } from './jobs/submit-batch';
import { SubmitJobs } from './jobs/submit-jobs';
import { TurnSender } from './jobs/turn-sender';
import { PipelineList } from './pipelines/pipeline-list';
import { PipelinesController } from './pipelines/pipelines.controller';
import { ResourceStatusModule } from './resource-status/resource-status.module';
import { ServiceList } from './services/service-list';
import { SchedulesModule } from './schedules/schedules.module';
import { ServicesController } from './services/services.controller';
import { WorkersController } from './workers/workers.controller';

/** The gateway put together from its parts. */
@Module({})
export class GatewayModule {
  static of(parts: GatewayParts): DynamicModule {
    const { context, database, bus, catalog, handlers, reader } = parts;
    const { config, log, drain } = context;
    // It goes on accepting jobs without NATS: their turns are published once it is back.
    const ready = [postgresPart(database, { required: true }), natsPart(bus, { required: false })];
    const turns = new TurnSender(parts.turns, log);
    const changes = new ChangeAnnouncer(bus, turns);
    const plans = new JobPlans(parts.catalog, parts.pipelines);
    const check = new SubmissionCheck(plans, handlers, config.sourceRoots);
    const jobs = new SubmitJobs(check, parts.submission, reader, new JobAnnouncer(bus, turns));
    const cancels = new CancelJob(parts.transactions, new Cancels(database), reader, changes, log);
    const deletions = new DeleteJobs(database);
    drain.register('flush', 'deletions of jobs', () => deletions.close());
    const workers = new WorkerReader(database, config.leaseMs);
    const retries = new RetryJob(parts.transactions, reader, changes);
    return {
      module: GatewayModule,
      imports: [
        HealthModule.with({ ready, log, drain }),
        metricsEndpoint(),
        EventsModule.register({ source: new BusEvents(bus, log), jobs: reader, access: parts.access, log }),
        GraphModule.register(database),
        DeadLettersModule.register(parts, retries),
        SchedulesModule.register(parts, check, jobs),
        ResourceStatusModule.register(parts, workers),
      ],
      controllers: [JobsController, JobChangesController, PipelinesController, ServicesController, WorkersController],
      providers: [
        { provide: APP_FILTER, useValue: new ProblemFilter(log) },
        { provide: CallNotes, useValue: parts.notes },
        { provide: JobReader, useValue: reader },
        { provide: WorkerReader, useValue: workers },
        { provide: PipelineList, useValue: new PipelineList(catalog, handlers) },
        { provide: ServiceList, useValue: new ServiceList(config.stackFile) },
        { provide: SubmitJobs, useValue: jobs },
        { provide: CancelJob, useValue: cancels },
        { provide: RetryJob, useValue: retries },
        { provide: RescheduleJob, useValue: new RescheduleJob(parts.transactions, reader, changes) },
        { provide: DeleteJob, useValue: new DeleteJob(deletions) },
        { provide: SubmitBatch, useValue: new SubmitBatch(jobs) },
      ],
    };
  }
}
