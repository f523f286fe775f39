import { type DynamicModule, Module } from '@nestjs/common';
import { DeadLetters } from '#shared/store/jobs/dead-letters';
import type { GatewayParts } from '../gateway-parts';
import { CallNotes } from '../http/call-notes';
import type { RetryJob } from '../jobs/retry-job';
import { DeadLettersController } from './dead-letters.controller';
import { RedriveDeadLetters } from './redrive-dead-letters';

/** The calls about what failed for good. */
@Module({})
export class DeadLettersModule {
  static register({ database, pipelines, notes }: GatewayParts, jobs: RetryJob): DynamicModule {
    const letters = new DeadLetters(database, pipelines, { lists: 2 });
    return {
      module: DeadLettersModule,
      controllers: [DeadLettersController],
      providers: [
        { provide: DeadLetters, useValue: letters },
        { provide: RedriveDeadLetters, useValue: new RedriveDeadLetters(letters, jobs) },
        { provide: CallNotes, useValue: notes },
      ],
    };
  }
}
