import type { Turn, TurnPublisher } from '#shared/bus/turn-publisher';
import type { Logger } from '#shared/runtime/logger';

/** Publishes turns of commits. Nobody waits for it: what does not arrive is found and sent again by the scheduler. */
export class TurnSender {
  private missed = 0;

  constructor(
    private readonly turns: TurnPublisher,
    private readonly log: Logger,
  ) {}

  send(turn: Turn): void {
    void this.publish(turn);
  }

  private async publish(turn: Turn): Promise<void> {
    const { kind } = await this.turns.publish(turn);
    if (kind === 'stored') return;
    this.missed += 1;
    // One line for the first and for each power of ten: the bus may be away for thousands of them.
    if (Number.isInteger(Math.log10(this.missed))) {
      this.log.warn(
        { count: this.missed, outcome: kind },
        'turns were not taken by NATS: the scheduler sends them later',
      );
    }
  }
}
