import { execFileSync } from 'node:child_process';
import { ensureTopology } from '#shared/bus/topology';
import type { Delivery } from '#shared/bus/delivery';
import { NatsBus } from '#shared/bus/nats-bus';
import { Publisher, type PublishOutcome } from '#shared/bus/publisher';
import { WorkConsumer } from '#shared/bus/work-consumer';
import { WORK_STREAM, workSubject } from '#shared/contracts/subjects';
import type { Priority } from '#shared/domain/status';
import { until } from '../support/poll';
import type { TestNats } from '../support/test-nats';

export const ACK_WAIT_MS = 2_000;
export const QUEUES = ['default', 'heavy'] as const;

/** Keeps what the bus says, to be looked at. */
export class TestLog {
  readonly lines: string[] = [];
  info(line: string): void {
    this.lines.push(`info ${line}`);
  }
  warn(line: string): void {
    this.lines.push(`warn ${line}`);
  }
  error(line: string): void {
    this.lines.push(`error ${line}`);
  }
}

/** A bus, a publisher and whatever else a spec asks for, all closed by `close`. */
export class BusStage {
  private readonly consumers: WorkConsumer[] = [];
  private published = 0;

  private constructor(
    readonly bus: NatsBus,
    readonly publisher: Publisher,
    readonly log: TestLog,
  ) {}

  static async open(url: string): Promise<BusStage> {
    const log = new TestLog();
    const bus = await NatsBus.connect({ url, name: 'bus-spec', log });
    const stage = new BusStage(bus, new Publisher(bus), log);
    await stage.ensure();
    return stage;
  }

  readonly ensure = (): Promise<void> => ensureTopology(this.bus, { queues: QUEUES, ackWaitMs: ACK_WAIT_MS });

  /** Publishes with an id that nobody else has. */
  publish(payload: string, priority: Priority = 'default', queue = 'default'): Promise<PublishOutcome> {
    this.published += 1;
    return this.publisher.publish(workSubject(queue, priority), payload, `${process.pid}-${this.published}`);
  }

  /** Publishes again and again until it is stored: what a sweep would do. */
  async publishSurely(payload: string, priority: Priority = 'default'): Promise<void> {
    await until(async () => (await this.publish(payload, priority)).kind === 'stored', { what: 'a stored publish' });
  }

  publishAll(payloads: readonly string[], priority: Priority = 'default'): Promise<PublishOutcome[]> {
    return Promise.all(payloads.map((payload) => this.publish(payload, priority)));
  }

  consumer(slots: number, onDelivery: (delivery: Delivery) => void, queues: readonly string[] = QUEUES): WorkConsumer {
    const { bus, ensure, log } = this;
    const consumer = new WorkConsumer(bus, { queues, slots, ensure, onDelivery, log });
    this.consumers.push(consumer);
    consumer.start();
    return consumer;
  }

  /** A consumer that notes what it gets, acks it, and is free again at once. */
  collector(slots: number, queues: readonly string[] = QUEUES): { consumer: WorkConsumer; texts: string[] } {
    const texts: string[] = [];
    const consumer = this.consumer(
      slots,
      (delivery) => {
        texts.push(delivery.text());
        delivery.ack();
        consumer.release(delivery);
      },
      queues,
    );
    return { consumer, texts };
  }

  async close(): Promise<void> {
    for (const consumer of this.consumers) {
      await consumer.stop();
      consumer.close();
    }
    await this.bus.close(2_000);
  }
}

export const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

/** Sorted and without repeats. */
export const distinct = (texts: readonly string[]): string[] => [...new Set(texts)].sort();

/** A killed server may not know any more what it had delivered; one that is ended so does. Its store stays. */
export async function endGently(nats: TestNats): Promise<void> {
  const { pid } = nats;
  process.kill(pid, 'SIGTERM');
  await until(() => !isRunning(pid), { what: 'the end of nats-server' });
  await nats.kill();
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Where the server keeps the messages of the work stream, apart from what its consumers know. */
export async function messagesFolder(nats: TestNats): Promise<string> {
  const response = await fetch(`${nats.monitorUrl}/jsz`);
  const page = (await response.json()) as { config: { store_dir: string } };
  return `${page.config.store_dir}/$G/streams/${WORK_STREAM}/msgs`;
}

/** Stops the server in its tracks; SIGCONT lets it go on. The signal takes a moment to take effect. */
export async function freeze({ pid }: TestNats): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until(() =>
    execFileSync('ps', ['-o', 'stat=', '-p', String(pid)])
      .toString()
      .startsWith('T'),
  );
}
