import { setTimeout as pause } from 'node:timers/promises';

export interface PollOptions {
  /** How long to go on asking. Default 10 s. */
  readonly deadlineMs?: number;
  /** Pause between two questions. Default 20 ms. */
  readonly everyMs?: number;
  /** For the error: what was waited for. */
  readonly what?: string;
}

/**
 * Asks again and again until there is an answer.
 * @param probe gives false, null or undefined while there is none; an error counts as none and is told at the end
 * @returns the first answer
 * @throws at the deadline, naming what was waited for and the last error
 */
export async function until<T>(
  probe: () => T | Promise<T>,
  { deadlineMs = 10_000, everyMs = 20, what = 'the condition' }: PollOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpAt = Date.now() + deadlineMs;
  for (;;) {
    let lastError: unknown;
    try {
      const answer = await probe();
      if (isAnswer(answer)) return answer;
    } catch (error) {
      lastError = error;
    }
    if (Date.now() >= giveUpAt) {
      throw new Error(`${what} did not come true within ${deadlineMs} ms`, { cause: lastError });
    }
    await pause(everyMs);
  }
}

function isAnswer<T>(answer: T): answer is Exclude<T, false | null | undefined> {
  return answer !== false && answer !== null && answer !== undefined;
}
