import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../support/random';
import type { TestStack } from '../support/stack';
import { submitMany } from './oracle';

export const CHANGES = ['far', 'soon', 'now', 'cancel'] as const;
export type Change = (typeof CHANGES)[number];

const FAR_S = 3_600;
const SOON_S = 0.2;
/** Calls are made so long before and after the time of their job; they take a while to arrive. */
const BEFORE_MS = 100;
const AFTER_MS = 40;
/** Between the answer to a submission and the time of its jobs, at least. */
const LEAD_MS = 150;

/** What a call was answered. */
interface Answer {
  readonly change: Change;
  readonly code: number;
  /** Of the job that it shows. */
  readonly status: string | undefined;
  /** The job had not been handed out when it was answered. */
  readonly held: boolean;
}

/** A job, and what somebody wished of it, one after another. */
export class Wishes {
  readonly answers: Answer[] = [];

  constructor(
    readonly job: string,
    private readonly url: string,
  ) {}

  async call(change: Change): Promise<void> {
    const answer = await this.send(change);
    const { status, queued_at: queuedAt } = (await answer.json()) as { status?: string; queued_at?: string | null };
    this.answers.push({ change, code: answer.status, status, held: queuedAt === null });
  }

  private send(change: Change): Promise<Response> {
    const address = `${this.url}/v1/ingest/${this.job}`;
    if (change === 'cancel') return fetch(`${address}/cancel`, { method: 'POST' });
    const start =
      change === 'far'
        ? { eta: new Date(Date.now() + FAR_S * 1_000).toISOString() }
        : { countdown: change === 'now' ? 0 : SOON_S };
    const headers = { 'content-type': 'application/json' };
    return fetch(`${address}/reschedule`, { method: 'POST', headers, body: JSON.stringify(start) });
  }

  /** The last wish that was fulfilled. */
  get last(): Change | null {
    return this.answers.findLast(({ change, code }) => isDone(change, code))?.change ?? null;
  }

  /** It was put off, and nothing came after that. */
  get isPutOff(): boolean {
    return this.last === 'far';
  }

  /** It was cancelled before it was handed out. */
  get isCancelledHeld(): boolean {
    return this.answers.some(({ change, code, held, status }) => {
      return change === 'cancel' && code === 202 && held && status === 'cancelled';
    });
  }

  /** Answers that must not be: errors, and another time for a job that has been said to have none to change. */
  get wrong(): string[] {
    let refused = false;
    return this.answers.flatMap(({ change, code }) => {
      const isExpected = code === 200 || code === 409 || (change === 'cancel' && code === 202);
      const isRevived = refused && change !== 'cancel' && isDone(change, code);
      refused ||= code === 409 || (change === 'cancel' && isDone(change, code));
      return isExpected && !(change === 'cancel' && code === 409) && !isRevived ? [] : [`${change}: ${code}`];
    });
  }
}

/** A 200 says that the job had ended before the cancel. */
const isDone = (change: Change, code: number): boolean => code === (change === 'cancel' ? 202 : 200);

export interface ChangingMinds {
  readonly stack: TestStack;
  readonly random: Random;
  readonly jobs: number;
  /** So many are due at the same moment: they are released, and changed, together. */
  readonly group: number;
}

/** Groups that are under way at once: as many as the gateway answers in time on a small machine. */
const SIDE_BY_SIDE = 3;

/**
 * Submits jobs that are due soon, and changes its mind about each of them once or twice close to its time.
 * Resolves when all calls are answered.
 */
export async function changeMinds({ stack, random, jobs, group }: ChangingMinds): Promise<Wishes[]> {
  const all: Wishes[] = [];
  let left = Math.ceil(jobs / group);
  let submitMs = 0;
  const goOn = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const startedAtMs = Date.now();
      const etaMs = startedAtMs + LEAD_MS + BEFORE_MS + 2 * submitMs;
      const ids = await submitMany(stack, group, { pipeline: 'single', eta: new Date(etaMs).toISOString() });
      submitMs = Math.min(1_000, Date.now() - startedAtMs);
      all.push(...(await Promise.all(ids.map((id) => changeMind(new Wishes(id, stack.url), etaMs, random)))));
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, goOn));
  return all;
}

async function changeMind(wishes: Wishes, etaMs: number, random: Random): Promise<Wishes> {
  const calls = Array.from({ length: random.int(1, 2) }, () => random.pick(CHANGES));
  const atMs = etaMs + random.int(-BEFORE_MS, AFTER_MS);
  await pause(Math.max(0, atMs - Date.now())); // until its moment
  for (const change of calls) await wishes.call(change);
  return wishes;
}
