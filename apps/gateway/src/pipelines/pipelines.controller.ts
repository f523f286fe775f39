import { Controller, Get, Param, Query } from '@nestjs/common';
import { NotFound } from '#shared/domain/errors';
import { NO_PARAMETERS } from '../http/schema-pipe';
import { PipelineList } from './pipeline-list';
import type { PipelineView } from './pipeline-view';

/** The pipelines that jobs may name. */
@Controller('v1/pipelines')
export class PipelinesController {
  constructor(private readonly pipelines: PipelineList) {}

  @Get()
  list(@Query(NO_PARAMETERS) _: unknown): { items: readonly PipelineView[] } {
    return { items: this.pipelines.all() };
  }

  @Get(':name')
  get(@Param('name') name: string, @Query(NO_PARAMETERS) _: unknown): PipelineView {
    const pipeline = this.pipelines.named(name);
    if (!pipeline) throw new NotFound('pipeline', name.slice(0, 100));
    return pipeline;
  }
}
