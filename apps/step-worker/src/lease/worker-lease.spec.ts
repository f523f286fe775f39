import type { Logger } from '#shared/runtime/logger';
import type { WorkerDescription, WorkerRegistry } from '#shared/store/worker-registry';
import type { Renewed } from '../keeper/keeper-messages';
import type { SharedDeadline } from '../keeper/shared-deadline';
import { until } from '../../../../test/support/poll';
import { DatabaseClock } from './database-clock';
import { WorkerLease } from './worker-lease';

const LEASE_MS = 60_000;
const DATABASE_TIME = 1_000_000_000;

class Bench {
  readonly registered: string[] = [];
  readonly removed: string[] = [];
  readonly kept: [worker: string, deadline: SharedDeadline][] = [];
  readonly followed: string[] = [];
  refuses = 0;
  follow: () => Promise<void> = async () => undefined;
  readonly clock = new DatabaseClock();
  readonly lease: WorkerLease;

  constructor(leaseMs = LEASE_MS) {
    const registry = {
      register: async ({ id }: WorkerDescription) => {
        if (this.refuses-- > 0) throw new Error('refused');
        this.registered.push(id);
        return DATABASE_TIME + this.registered.length;
      },
      remove: async (id: string) => void this.removed.push(id),
    } as unknown as WorkerRegistry;
    const keeper = { keep: (id: string, deadline: SharedDeadline) => void this.kept.push([id, deadline]) };
    const log = { info: () => undefined, warn: () => undefined } as unknown as Logger;
    this.lease = new WorkerLease(registry, this.clock, log, keeper, {
      leaseMs,
      worker: { name: 'host-1', version: '1', pid: 1, queues: ['default'], capacity: 1 },
      renewed: async ({ id }) => {
        this.followed.push(id);
        await this.follow();
      },
    });
  }

  /** What the keeper says after a renewal. */
  renewal(over: Partial<Renewed> = {}): Renewed {
    const nowMs = performance.now();
    const [worker = ''] = this.kept.at(-1) ?? [];
    return {
      ...{ kind: 'renewed', worker, databaseTime: DATABASE_TIME, askedAtMs: nowMs, answeredAtMs: nowMs },
      workersAlive: 3,
      ...over,
    };
  }

  get deadline(): SharedDeadline {
    const last = this.kept.at(-1);
    if (!last) throw new Error('nothing is kept');
    return last[1];
  }
}

describe('WorkerLease', () => {
  it('registers, trying again, and has the keeper renew what it got', async () => {
    const bench = new Bench(50);
    bench.refuses = 2;
    expect([bench.lease.current.id, bench.lease.current.isValid()]).toEqual(['', false]);
    await bench.lease.start();
    const { current } = bench.lease;
    expect([bench.registered, bench.kept.map(([id]) => id)]).toEqual([[current.id], [current.id]]);
    expect(current.horizon).toBe(DATABASE_TIME + 1);
    expect([bench.lease.isOwn(current.id), bench.lease.isOwn('other')]).toEqual([true, false]);
  });

  it('goes on as the same after a renewal, sets the clock, and does what is to follow one at a time', async () => {
    const bench = new Bench();
    await bench.lease.start();
    const { current } = bench.lease;
    let done = (): void => undefined;
    bench.follow = () => new Promise((resolve) => (done = resolve));
    bench.lease.renewed(bench.renewal({ databaseTime: 5_000_000_000 }));
    bench.lease.renewed(bench.renewal({ databaseTime: 5_000_000_000 }));
    expect(bench.lease.current).toBe(current);
    expect(Math.abs(bench.clock.now() - 5_000_000_000)).toBeLessThan(1_000_000);
    expect([bench.followed, bench.lease.workersAlive]).toEqual([[current.id], 3]);
    done();
    await until(() => {
      bench.lease.renewed(bench.renewal());
      return bench.followed.length === 2;
    });
  });

  it('registers anew when the lease is lost, and never goes back', async () => {
    const bench = new Bench();
    await bench.lease.start();
    const before = bench.lease.current;
    bench.deadline.end();
    bench.lease.lost(before.id);
    await until(() => bench.kept.length === 2);
    const { current } = bench.lease;
    expect([current.id === before.id, current.isValid(), before.isValid()]).toEqual([false, true, false]);
    expect([bench.lease.isOwn(before.id), current.horizon]).toEqual([true, DATABASE_TIME + 2]);
    bench.lease.renewed(bench.renewal({ worker: before.id }));
    bench.lease.lost(before.id);
    expect(bench.lease.current).toBe(current);
    expect([bench.followed, bench.registered.length, before.isValid()]).toEqual([[], 2, false]);
  });

  it('is another incarnation of the same id after it slept through a lease that the keeper kept', async () => {
    const bench = new Bench(30);
    await bench.lease.start();
    const before = bench.lease.current;
    // The keeper renews; the news does not reach this thread in time.
    expect(bench.deadline.extend(performance.now() + LEASE_MS, performance.now())).toBe(true);
    await until(() => bench.lease.current !== before, { what: 'that it notices' });
    const { current } = bench.lease;
    expect([current.id, current.isValid(), bench.registered.length]).toEqual([before.id, true, 1]);
    // What was opened before may have been begun by others.
    expect(current.horizon).toBeGreaterThan(before.horizon);
    const aheadMicros = current.horizon - bench.clock.now();
    expect(aheadMicros).toBeGreaterThan(500_000);
    expect(aheadMicros).toBeLessThan(1_500_000);
    bench.lease.renewed(bench.renewal());
    expect(bench.lease.current).toBe(current);
  });

  it('notices that also when the late news is the first that it hears', async () => {
    const bench = new Bench(30);
    await bench.lease.start();
    const before = bench.lease.current;
    const late = bench.renewal();
    expect(bench.deadline.extend(performance.now() + LEASE_MS, performance.now())).toBe(true);
    const overMs = performance.now() + 40;
    await until(() => performance.now() > overMs);
    bench.lease.renewed(late);
    expect(bench.lease.current).not.toBe(before);
    expect(bench.lease.current.id).toBe(before.id);
  });

  it('is over at its end when nobody renews it', async () => {
    const bench = new Bench(30);
    await bench.lease.start();
    const { current } = bench.lease;
    await until(() => !current.isValid());
    expect(bench.lease.current).toBe(current);
    expect(bench.deadline.extend(performance.now() + LEASE_MS, performance.now())).toBe(false);
  });

  it('ends at once when it is stopped', async () => {
    const bench = new Bench();
    await bench.lease.start();
    const { id } = bench.lease.current;
    await bench.lease.stop();
    expect([bench.removed, bench.lease.current.isValid(), bench.deadline.isOver(0)]).toEqual([[id], false, true]);
    bench.lease.lost(id);
    bench.lease.renewed(bench.renewal());
    expect([bench.registered.length, bench.lease.current.isValid()]).toEqual([1, false]);
  });
});
