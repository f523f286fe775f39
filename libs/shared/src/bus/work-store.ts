import { WORK_STREAM } from '#shared/contracts/subjects';
import { isStreamMissing } from '#shared/bus/jetstream-errors';
import type { NatsBus } from '#shared/bus/nats-bus';

const CALL_LIMIT_MS = 3_000;

/** By what a stream can be told from another one of its name. */
export interface WorkStore {
  readonly created: string;
  readonly lastSeq: number;
}

/** The work stream that is there now; null when there is none. Rejects when nobody answers. */
export async function readWorkStore(bus: NatsBus): Promise<WorkStore | null> {
  const api = await bus.jetStream(CALL_LIMIT_MS);
  try {
    const { created, state } = await api.streams.info(WORK_STREAM);
    return { created: String(created), lastSeq: state.last_seq };
  } catch (error) {
    if (isStreamMissing(error)) return null;
    throw error;
  }
}

/**
 * Whether messages up to `highestSeq`, delivered by `before`, can be those that `now` has under their numbers: the
 * stream was not made anew, and did not lose its end.
 */
export const isSameStore = (before: WorkStore, now: WorkStore, highestSeq: number): boolean =>
  before.created === now.created && now.lastSeq >= highestSeq;
