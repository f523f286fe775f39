import type { JobView } from '#shared/contracts/job';
import { Conflict, InvalidInput, Unavailable } from '#shared/domain/errors';
import type { NewJob } from '#shared/domain/new-job';
import { failpoint, guardHolds } from '#shared/runtime/failpoints';
import type { JobReader } from '#shared/store/jobs/job-reader';
import type { SubmitOutcome } from '#shared/store/jobs/insert-jobs';
import type { JobSubmission } from '#shared/store/jobs/job-submission';
import { freshView } from './fresh-view';
import type { JobAnnouncer, StoredJob } from './job-announcer';
import type { Submission } from './submission';
import type { Checked, SubmissionCheck } from './submission-check';

/** What became of one submission. `repeated`: it was stored before, with the same key. */
export type SubmitResult =
  | { readonly kind: 'created' | 'repeated'; readonly job: JobView }
  | { readonly kind: 'refused'; readonly error: unknown };

type Settled =
  | { readonly kind: 'created'; readonly stored: StoredJob }
  | { readonly kind: 'first'; readonly jobId: string }
  | { readonly kind: 'refused'; readonly error: unknown };

type Ready = Extract<Checked, { kind: 'ready' }>;
type Created = Extract<SubmitOutcome, { kind: 'created' }>;

/** A commit that takes longer is in doubt. */
const COMMIT_LIMIT_MS = 15_000;

/**
 * Takes any number of submissions to stored jobs: looks up what they name, stores them with whatever else is being
 * submitted, publishes their first turns after the commit, and says what became of each.
 */
export class SubmitJobs {
  constructor(
    private readonly check: SubmissionCheck,
    private readonly submission: JobSubmission,
    private readonly reader: JobReader,
    private readonly announcer: JobAnnouncer,
  ) {}

  /** Never rejects. The results are in the order of the submissions. */
  async submit(submissions: readonly Submission[]): Promise<SubmitResult[]> {
    const checked = await this.check.check(submissions);
    const askedAtMs = performance.now();
    const settled = await this.storeAll(checked);
    const created = settled.flatMap((each) => (each.kind === 'created' ? each.stored : []));
    if (created.length > 0) failpoint('gateway.stored');
    this.announcer.announce(created, askedAtMs);
    if (created.length > 0) failpoint('gateway.announced');
    return this.show(await this.findFirst(submissions, settled));
  }

  /** Side by side: they end up in the same commits. */
  private async storeAll(checked: readonly Checked[]): Promise<Settled[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(commitInDoubt()), COMMIT_LIMIT_MS);
    });
    try {
      return await Promise.all(checked.map(async (each) => (each.kind === 'ready' ? this.store(each, late) : each)));
    } finally {
      clearTimeout(timer);
    }
  }

  private async store(ready: Ready, late: Promise<never>): Promise<Settled> {
    try {
      const stored = this.submission.submit(ready.job);
      const outcome = guardHolds('gateway.answers_after_commit')
        ? await Promise.race([stored, late])
        : unstored(stored);
      switch (outcome.kind) {
        case 'created':
          return { kind: 'created', stored: storedJob(ready, outcome) };
        case 'repeated':
          return { kind: 'first', jobId: outcome.jobId };
        case 'key_taken':
          return { kind: 'refused', error: new Conflict('The idempotency key belongs to another request.') };
        case 'unknown_dependencies':
          return { kind: 'refused', error: noSuchDependencies(ready.job, outcome.jobIds) };
      }
    } catch (error) {
      return { kind: 'refused', error };
    }
  }

  /**
   * What was accepted once is not refused when it is repeated, though its source or pipeline may be gone by now: of the
   * refused ones that have a key, those whose request is stored give their first job.
   */
  private async findFirst(submissions: readonly Submission[], settled: readonly Settled[]): Promise<Settled[]> {
    const keys = submissions.flatMap(({ key }, index) =>
      key !== null && settled[index]?.kind === 'refused' ? [key] : [],
    );
    if (keys.length === 0) return [...settled];
    const owners = await this.reader.byKeys(keys).catch(asFailure);
    if ('failure' in owners) return [...settled];
    return settled.map((each, index) => {
      const { key, requestHash } = submissions[index] ?? {};
      const owner = each.kind === 'refused' && typeof key === 'string' ? owners.get(key) : undefined;
      return owner && owner.requestHash === requestHash ? { kind: 'first', jobId: owner.id } : each;
    });
  }

  private async show(settled: readonly Settled[]): Promise<SubmitResult[]> {
    const ids = settled.flatMap((each) => (each.kind === 'first' ? each.jobId : []));
    const first = ids.length > 0 ? await this.reader.getMany(ids).catch(asFailure) : new Map<string, JobView>();
    return settled.map((each): SubmitResult => {
      if (each.kind === 'created') return { kind: 'created', job: each.stored.view };
      if (each.kind === 'refused') return each;
      if ('failure' in first) return { kind: 'refused', error: first.failure };
      const job = first.get(each.jobId);
      return job ? { kind: 'repeated', job } : { kind: 'refused', error: justDeleted() };
    });
  }
}

/** A read that fails takes nothing back of what was stored. */
const asFailure = (failure: unknown): { readonly failure: unknown } => ({ failure });

function storedJob({ job, plan }: Ready, outcome: Created): StoredJob {
  const view = freshView(job, outcome, plan.stored);
  return { job, pipeline: plan.stored, view, dispatchedAt: outcome.dispatchedAt };
}

/** What is answered where a test has this service lie. */
function unstored(stored: Promise<unknown>): Created {
  stored.catch(() => undefined);
  const now = new Date();
  return { kind: 'created', status: 'pending', dispatchedAt: now.getTime() * 1_000, createdAt: now, eta: null };
}

const noSuchDependencies = ({ dependsOn }: NewJob, unknown: readonly string[]): InvalidInput =>
  new InvalidInput(
    unknown.map((id) => ({ path: `depends_on.${dependsOn.indexOf(id)}`, message: `there is no job ${id}` })),
  );

const commitInDoubt = (): Unavailable =>
  new Unavailable(
    'The database did not answer in time: the job may be stored or not. A key makes it safe to repeat.',
    5,
  );
const justDeleted = (): Unavailable => new Unavailable('The job of this idempotency key has just been deleted.', 1);
