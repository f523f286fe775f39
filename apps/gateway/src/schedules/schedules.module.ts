import { type DynamicModule, Module } from '@nestjs/common';
import { Schedules } from '#shared/store/schedules/schedules';
import type { GatewayParts } from '../gateway-parts';
import { CallNotes } from '../http/call-notes';
import type { SubmissionCheck } from '../jobs/submission-check';
import type { SubmitJobs } from '../jobs/submit-jobs';
import { RunSchedule } from './run-schedule';
import { ScheduleCheck } from './schedule-check';
import { ScheduleWake } from './schedule-wake';
import { SchedulesController } from './schedules.controller';

/** The calls about recurring jobs. */
@Module({})
export class SchedulesModule {
  static register({ database, bus, notes }: GatewayParts, check: SubmissionCheck, jobs: SubmitJobs): DynamicModule {
    return {
      module: SchedulesModule,
      controllers: [SchedulesController],
      providers: [
        { provide: Schedules, useValue: new Schedules(database, { lists: 2 }) },
        { provide: ScheduleCheck, useValue: new ScheduleCheck(check) },
        { provide: RunSchedule, useValue: new RunSchedule(jobs) },
        { provide: ScheduleWake, useValue: new ScheduleWake(bus) },
        { provide: CallNotes, useValue: notes },
      ],
    };
  }
}
