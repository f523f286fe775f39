import { Controller, Get, Query } from '@nestjs/common';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { NO_PARAMETERS } from '../http/schema-pipe';
import { ResourceStatusAnswer } from './resource-status-answer';

/** How the fleet does, and what attempts have used. */
@Controller('v1/ingest/resource_status')
export class ResourceStatusController {
  constructor(private readonly answer: ResourceStatusAnswer) {}

  @Get()
  get(@Query(NO_PARAMETERS) _: unknown): Promise<ResourceStatus> {
    return this.answer.get();
  }
}
