import { Controller, Get, Query } from '@nestjs/common';
import type { ResourceHistory } from '#shared/contracts/resource-history';
import { NO_PARAMETERS } from '../http/schema-pipe';
import { ResourceHistoryAnswer } from './resource-history-answer';

/** What jobs and attempts of the last hour took and used, minute by minute. */
@Controller('v1/ingest/resource_history')
export class ResourceHistoryController {
  constructor(private readonly answer: ResourceHistoryAnswer) {}

  @Get()
  get(@Query(NO_PARAMETERS) _: unknown): Promise<ResourceHistory> {
    return this.answer.get();
  }
}
