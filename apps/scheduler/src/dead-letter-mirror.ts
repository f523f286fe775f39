import type { NatsBus } from '#shared/bus/nats-bus';
import type { Publisher } from '#shared/bus/publisher';
import { ensureDeadStream } from '#shared/bus/side-streams';
import { DEAD_STREAM, deadSubject } from '#shared/contracts/subjects';
import type { Logger } from '#shared/runtime/logger';
import type { DeadLetterOutbox } from '#shared/store/jobs/dead-letter-outbox';

const BATCH = 200;
const LONGEST_PAUSE_MS = 1_000;
/** While the stream takes nothing, one dead letter at a time is tried. */
const TROUBLE_PAUSE_MS = 5_000;

/**
 * Copies dead letters to the stream where they can be browsed. Postgres stays the truth: what the stream does not take,
 * full or lost, waits there and holds up nothing else. Of two schedulers that send the same, the stream keeps one.
 */
export class DeadLetterMirror {
  private inTrouble = false;

  constructor(
    private readonly bus: NatsBus,
    private readonly outbox: Pick<DeadLetterOutbox, 'next' | 'mark'>,
    private readonly publisher: Pick<Publisher, 'publish'>,
    private readonly log: Logger,
  ) {}

  /** Mirrors one batch. @returns in how many milliseconds to look again */
  async runOnce(): Promise<number> {
    // The bus says itself that it is not connected.
    if (!this.bus.isConnected) return LONGEST_PAUSE_MS;
    const letters = await this.outbox.next(this.inTrouble ? 1 : BATCH);
    const outcomes = await Promise.all(
      letters.map(async (letter) => {
        const subject = deadSubject(letter.pipeline, letter.step);
        return { id: letter.id, outcome: await this.publisher.publish(subject, JSON.stringify(letter), letter.id) };
      }),
    );
    const stored = outcomes.filter(({ outcome }) => outcome.kind === 'stored').map(({ id }) => id);
    if (stored.length > 0) await this.outbox.mark(stored);
    const refused = outcomes.find(({ outcome }) => outcome.kind !== 'stored')?.outcome;
    if (refused) return this.onTrouble(refused.kind === 'refused' ? refused.reason : 'no answer in time');
    if (stored.length > 0 && this.inTrouble) {
      this.inTrouble = false;
      this.log.info(`${DEAD_STREAM} takes dead letters again`);
      return 0;
    }
    return letters.length === BATCH ? 0 : LONGEST_PAUSE_MS;
  }

  /** The stream may be gone, or may never have been made. */
  private async onTrouble(reason: string): Promise<number> {
    if (!this.bus.isConnected) return LONGEST_PAUSE_MS;
    const cause = await ensureDeadStream(this.bus).then(
      () => reason,
      (error: unknown) => (error instanceof Error ? error.message : reason),
    );
    if (!this.inTrouble) {
      this.log.warn(
        { reason: cause },
        `${DEAD_STREAM} does not take dead letters; they are kept in Postgres and sent once it does`,
      );
    }
    this.inTrouble = true;
    return TROUBLE_PAUSE_MS;
  }
}
