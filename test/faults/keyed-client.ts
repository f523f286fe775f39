import { until } from '../support/poll';

/** What a client was told of one of its keys. */
export interface KeyedJob {
  readonly key: string;
  /** Ids that it was answered with 202 or 200, in order. */
  readonly ids: string[];
}

export interface Refusal {
  readonly status: number;
  readonly retryAfter: string | null;
}

/**
 * A client that does what the documentation says: it sends each job with a key of its own, and sends it again with the
 * same key until it is accepted, whatever happens in between.
 */
export class KeyedClient {
  readonly jobs: KeyedJob[] = [];
  /** Answers that were neither 202 nor 200. */
  readonly refusals: Refusal[] = [];
  /** Answers that gave a job back that was stored before. */
  repeated = 0;
  /** Calls that had no answer. */
  unanswered = 0;
  private sent = 0;
  private readonly waiting = new Set<Promise<void>>();

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly pipeline: string,
    private readonly input: object = {},
  ) {}

  /** Sends so many jobs side by side, each until it is accepted. */
  send(count: number): void {
    for (let left = count; left > 0; left -= 1) {
      this.sent += 1;
      const job: KeyedJob = { key: `${this.name}-${this.sent}`, ids: [] };
      this.jobs.push(job);
      const accepting = until(() => this.post(job), { deadlineMs: 60_000, everyMs: 50, what: job.key }).then(
        () => void this.waiting.delete(accepting),
      );
      this.waiting.add(accepting);
    }
  }

  /** One call. @returns whether it was accepted */
  async post(job: KeyedJob): Promise<boolean> {
    let response: Response;
    try {
      response = await fetch(`${this.url}/v1/ingest`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': job.key },
        body: JSON.stringify({ pipeline: this.pipeline, input: this.input }),
        signal: AbortSignal.timeout(20_000),
      });
    } catch {
      this.unanswered += 1;
      return false;
    }
    const accepted = response.status === 202 || response.status === 200;
    try {
      const answer = (await response.json()) as { id?: string };
      if (accepted && answer.id !== undefined) job.ids.push(answer.id);
    } catch {
      this.unanswered += 1; // cut off in the middle of the answer
      return false;
    }
    if (response.status === 200) this.repeated += 1;
    if (!accepted) this.refusals.push({ status: response.status, retryAfter: response.headers.get('retry-after') });
    return accepted;
  }

  /** Resolves when every job was accepted. */
  async untilAccepted(): Promise<void> {
    await Promise.all(this.waiting);
  }

  /** Every id that was answered. */
  get accepted(): string[] {
    return [...new Set(this.jobs.flatMap(({ ids }) => ids))];
  }
}
