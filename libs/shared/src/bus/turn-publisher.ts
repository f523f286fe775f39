import { encodeWorkMessage, type WorkMessage, workMessageId } from '#shared/contracts/work-message';
import { workSubject } from '#shared/contracts/subjects';
import type { Priority } from '#shared/domain/status';
import { guardHolds } from '#shared/runtime/failpoints';
import type { Publisher, PublishOutcome } from '#shared/bus/publisher';

/** A turn that is ready for any worker of its queue. */
export interface Turn {
  readonly message: WorkMessage;
  readonly queue: string;
  readonly priority: Priority;
  /**
   * `performance.now()` from before the statement that opened it was sent, where no lease says whether the publisher has
   * been away since. (A worker's publishes are late when its lease was lost.)
   */
  readonly askedAtMs?: number;
}

/** Publishes turns, after the commit that opened them. */
export class TurnPublisher {
  constructor(private readonly publisher: Publisher) {}

  /**
   * Never rejects. A publish in doubt is repeated once with `read`: two copies must not both run unread. What is still
   * not stored then is left to the scheduler's sweep. One that comes late, after a slow commit or a stop of the process,
   * carries `read` too: the sweep may have sent that turn already.
   */
  async publish(turn: Turn): Promise<PublishOutcome> {
    const { askedAtMs } = turn;
    const isLate = askedAtMs !== undefined && performance.now() - askedAtMs > this.publisher.timeoutMs;
    const mustRead = isLate && guardHolds('bus.late_publishes_read');
    const first = await this.send(mustRead ? { ...turn, message: { ...turn.message, read: true } } : turn);
    if (first.kind !== 'in_doubt') return first;
    return this.send({ ...turn, message: { ...turn.message, read: true } });
  }

  private send({ message, queue, priority }: Turn): Promise<PublishOutcome> {
    return this.publisher.publish(workSubject(queue, priority), encodeWorkMessage(message), workMessageId(message));
  }
}
