import { Controller, Get, Query } from '@nestjs/common';
import type { WorkerView } from '#shared/contracts/fleet';
import { WorkerReader } from '#shared/store/worker-reader';
import { NO_PARAMETERS } from '../http/schema-pipe';

/** The workers that are alive, and those that have gone lately. */
@Controller('v1/workers')
export class WorkersController {
  constructor(private readonly workers: WorkerReader) {}

  @Get()
  async list(@Query(NO_PARAMETERS) _: unknown): Promise<{ items: WorkerView[] }> {
    return { items: await this.workers.list() };
  }
}
