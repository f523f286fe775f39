import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { NatsBus } from '#shared/bus/nats-bus';
import { type Delivery, WorkConsumer, type WorkConsumerOptions } from '#shared/bus/work-consumer';

/**
 * Nest's way in for this service: its mailbox is JetStream, pulled. Deliveries go straight to the turn runner; Nest's
 * message patterns would cost more than a small step.
 */
export class JetStreamPullStrategy extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('jetstream-pull');
  private readonly consumer: WorkConsumer;

  constructor(bus: NatsBus, options: WorkConsumerOptions) {
    super();
    this.consumer = new WorkConsumer(bus, options);
  }

  listen(callback: () => void): void {
    this.consumer.start();
    callback();
  }

  /** Stops pulling; what still arrives is handed back. Safe to call twice. */
  close(): Promise<void> {
    return this.consumer.stop();
  }

  /** The delivery has been ended: its slot is free again. */
  release(delivery: Delivery): void {
    this.consumer.release(delivery);
  }

  /** Takes a slot again for a delivery that was released and not ended. Resolves false when the worker drains. */
  resume(delivery: Delivery): Promise<boolean> {
    return this.consumer.resume(delivery);
  }

  /** Why no work, or not all of it, could be pulled for so long; null: it can be. */
  whyNotPulling(forMs: number): string | null {
    return this.consumer.whyNotPulling(forMs);
  }

  on(): void {
    // The bus tells of its connection itself.
  }

  unwrap<T>(): T {
    return this.consumer as T;
  }
}
