import type { SubmitRequest } from '#shared/contracts/ingest-request';
import { type InputFault, InvalidInput } from '#shared/domain/errors';
import { type PipelineDefinition, restrictTo } from '#shared/domain/pipeline';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { PipelineStore, StoredPipeline } from '#shared/store/jobs/pipeline-store';

/** Which steps a job has: its pipeline, or the part of it that it asks for, as it is stored. */
export interface JobPlan {
  readonly pipeline: PipelineDefinition;
  readonly stored: StoredPipeline;
}

/** What of a job says which plan it has. */
export type PlanRequest = Pick<SubmitRequest, 'pipeline' | 'steps'>;

/** Pipelines that an error names at most. */
const MOST_NAMED = 20;
/** Clients that ask for ever new parts of a pipeline may not fill the memory. */
const MAX_KNOWN = 1_000;

/** Finds the plans of jobs. Each is stored once, before the first job that has it; after that it costs a look-up. */
export class JobPlans {
  private readonly known = new Map<string, Promise<JobPlan>>();

  constructor(
    private readonly catalog: PipelineCatalog,
    private readonly store: PipelineStore,
  ) {}

  /** The same text for requests that have the same plan. */
  keyOf({ pipeline, steps }: PlanRequest): string {
    return steps ? JSON.stringify([pipeline, ...steps]) : pipeline;
  }

  /** @throws InvalidInput for a pipeline or step that is not there, or the database's error */
  planFor(request: PlanRequest): Promise<JobPlan> {
    const key = this.keyOf(request);
    const known = this.known.get(key);
    if (known) return known;
    const plan = this.make(request);
    if (this.known.size >= MAX_KNOWN) this.known.delete(this.known.keys().next().value ?? '');
    this.known.set(key, plan);
    plan.catch(() => this.known.delete(key));
    return plan;
  }

  private async make({ pipeline: name, steps }: PlanRequest): Promise<JobPlan> {
    const pipeline = this.catalog.pipelines.get(name);
    if (!pipeline) {
      const known = [...this.catalog.pipelines.keys()].sort().slice(0, MOST_NAMED).join(', ');
      const message = `there is no pipeline ${JSON.stringify(name)}; there are: ${known}`;
      throw new InvalidInput([{ path: 'pipeline', message }]);
    }
    if (!steps) return { pipeline, stored: await this.store.save(pipeline) };
    const faults = unknownSteps(pipeline, steps);
    if (faults.length > 0) throw new InvalidInput(faults);
    return { pipeline, stored: await this.store.save(restrictTo(pipeline, steps)) };
  }
}

function unknownSteps(pipeline: PipelineDefinition, steps: readonly string[]): InputFault[] {
  const names = new Set(pipeline.steps.map((step) => step.name));
  return steps.flatMap((step, index) =>
    names.has(step) ? [] : [{ path: `steps.${index}`, message: `the pipeline ${pipeline.name} has no such step` }],
  );
}
