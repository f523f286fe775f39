import type { HandlerDefinition } from '#shared/contracts/handler';
import { optionFaults } from '#shared/contracts/job-options';
import { InvalidInput } from '#shared/domain/errors';
import type { NewJob } from '#shared/domain/new-job';
import type { JobPlan, JobPlans } from '#shared/store/jobs/job-plans';
import { type FoundSource, newJobOf } from '#shared/store/jobs/new-job-of';
import { findSource, type JobSource } from './job-source';
import type { Submission } from './submission';

/** A submission that can be stored, or why it cannot. */
export type Checked =
  | { readonly kind: 'ready'; readonly job: NewJob; readonly plan: JobPlan }
  | { readonly kind: 'refused'; readonly error: unknown };

/** Looks up what submissions name: pipelines, steps, options, sources. */
export class SubmissionCheck {
  constructor(
    private readonly plans: JobPlans,
    private readonly handlers: ReadonlyMap<string, HandlerDefinition>,
    private readonly sourceRoots: readonly string[],
  ) {}

  /** Never rejects. What several of them name is looked up once; nothing is awaited job by job. */
  async check(submissions: readonly Submission[]): Promise<Checked[]> {
    const plans = await this.plansOf(submissions);
    const resolved = new Map<string, Promise<JobSource>>();
    const sources = await Promise.all(
      submissions.map(async ({ request }) => {
        const plan = plans.get(this.plans.keyOf(request));
        const pipeline = plan && 'pipeline' in plan ? plan.pipeline : null;
        return findSource(request, pipeline, this.sourceRoots, resolved);
      }),
    );
    return submissions.map((submission, index) => {
      const plan = plans.get(this.plans.keyOf(submission.request)) ?? { error: new Error('a plan was passed over') };
      const source = sources[index] ?? { source: null, type: null };
      return this.checkOne(submission, plan, source);
    });
  }

  private async plansOf(submissions: readonly Submission[]): Promise<Map<string, JobPlan | { error: unknown }>> {
    const distinct = new Map(submissions.map(({ request }) => [this.plans.keyOf(request), request]));
    const plans = await Promise.all(
      [...distinct].map(async ([key, request]) => {
        const plan = await this.plans.planFor(request).catch((error: unknown) => ({ error }));
        return [key, plan] as const;
      }),
    );
    return new Map(plans);
  }

  private checkOne(submission: Submission, plan: JobPlan | { error: unknown }, source: JobSource): Checked {
    const { request } = submission;
    const sourceFaults = 'fault' in source ? [source.fault] : [];
    if ('error' in plan) {
      const { error } = plan;
      if (!(error instanceof InvalidInput)) return { kind: 'refused', error };
      return { kind: 'refused', error: new InvalidInput([...error.errors, ...sourceFaults]) };
    }
    const faults = request.options
      ? [...sourceFaults, ...optionFaults(request.options, plan.stored.definition, this.handlers)]
      : sourceFaults;
    if (faults.length > 0 || 'fault' in source) return { kind: 'refused', error: new InvalidInput(faults) };
    return { kind: 'ready', job: newJob(submission, plan, source), plan };
  }
}

function newJob({ request, key, requestHash, scheduleId }: Submission, plan: JobPlan, found: FoundSource): NewJob {
  const job = newJobOf(request, plan, found);
  return { ...job, idempotencyKey: key, requestHash, scheduleId: scheduleId ?? null };
}
