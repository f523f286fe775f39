import type { HandlerDefinition } from '#shared/contracts/handler';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import { type PipelineView, pipelineView } from './pipeline-view';

/** What there is to see of the pipelines; made once, since the file is read at the start. */
export class PipelineList {
  private readonly views: ReadonlyMap<string, PipelineView>;

  constructor(catalog: PipelineCatalog, handlers: ReadonlyMap<string, HandlerDefinition>) {
    this.views = new Map([...catalog.pipelines].map(([name, pipeline]) => [name, pipelineView(pipeline, handlers)]));
  }

  all(): readonly PipelineView[] {
    return [...this.views.values()];
  }

  named(name: string): PipelineView | undefined {
    return this.views.get(name);
  }
}
