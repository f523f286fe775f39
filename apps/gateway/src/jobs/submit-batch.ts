import { batchRequest } from '#shared/contracts/ingest-request';
import { inputFaults } from '#shared/contracts/input-faults';
import { Conflict, InvalidInput } from '#shared/domain/errors';
import { problemOf } from '../http/problems';
import { freshText } from './fresh-view';
import { readSubmission, type Submission } from './submission';
import type { SubmitJobs, SubmitResult } from './submit-jobs';

export interface BatchAnswer {
  /** `{"items":[…]}` as JSON: a job or a problem in the place of each. */
  readonly text: string;
  /** Ids of the jobs that were stored by this call. */
  readonly created: readonly string[];
}

/** Many jobs in one call: each is accepted or refused by itself. */
export class SubmitBatch {
  constructor(private readonly jobs: SubmitJobs) {}

  /**
   * @throws InvalidInput when the body is no batch
   * @throws the database's error, or QueueFull, when nothing else stood in the way and none could be stored
   */
  async submit(body: unknown, headerKey?: string): Promise<BatchAnswer> {
    const parsed = batchRequest.safeParse(body);
    if (!parsed.success) throw new InvalidInput(inputFaults(parsed.error));
    if (headerKey !== undefined) {
      const message = 'does not say which job it belongs to: give each job its idempotency_key';
      throw new InvalidInput([{ path: 'Idempotency-Key', message }]);
    }
    const results = await this.submitAll(readAll(parsed.data.jobs));
    const [first] = results;
    if (first?.kind === 'refused' && results.every(isMishap)) throw first.error;
    return {
      text: `{"items":[${results.map(textOf).join(',')}]}`,
      created: results.flatMap((result) => (result.kind === 'created' ? result.job.id : [])),
    };
  }

  private async submitAll(read: readonly (Submission | { error: unknown })[]): Promise<SubmitResult[]> {
    const results = await this.jobs.submit(read.flatMap((each) => ('error' in each ? [] : each)));
    let next = 0;
    return read.map((each): SubmitResult => {
      if ('error' in each) return { kind: 'refused', error: each.error };
      const result = results[next];
      next += 1;
      return result ?? { kind: 'refused', error: new Error('a job of the batch was passed over') };
    });
  }
}

/** A key that comes again is refused in its second place, whatever the job. */
function readAll(jobs: readonly unknown[]): (Submission | { error: unknown })[] {
  const keys = new Set<string>();
  return jobs.map((job) => {
    try {
      const submission = readSubmission(job);
      if (submission.key === null) return submission;
      if (keys.has(submission.key)) return { error: new Conflict('The idempotency key is in this batch already.') };
      keys.add(submission.key);
      return submission;
    } catch (error) {
      return { error };
    }
  });
}

function textOf(result: SubmitResult): string {
  switch (result.kind) {
    case 'created':
      return freshText(result.job);
    case 'repeated':
      return JSON.stringify(result.job);
    case 'refused':
      return JSON.stringify(problemOf(result.error).problem);
  }
}

/** Neither stored nor refused for what it says. */
const isMishap = (result: SubmitResult): boolean =>
  result.kind === 'refused' && problemOf(result.error).problem.status >= 500;
