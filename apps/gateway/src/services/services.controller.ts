import { Controller, Get, Query } from '@nestjs/common';
import type { ServiceView } from '#shared/contracts/fleet';
import { NO_PARAMETERS } from '../http/schema-pipe';
import { ServiceList } from './service-list';

/** The services of this stack and where each of them listens. */
@Controller('v1/services')
export class ServicesController {
  constructor(private readonly services: ServiceList) {}

  @Get()
  async list(@Query(NO_PARAMETERS) _: unknown): Promise<{ items: ServiceView[] }> {
    return { items: await this.services.list() };
  }
}
