import type { Renewal } from '#shared/store/worker-registry';
import type { FromKeeper } from './keeper-messages';
import { LeaseRenewal } from './lease-renewal';
import { SharedDeadline } from './shared-deadline';

const LEASE_MS = 10_000;

class Bench {
  nowMs = 0;
  readonly told: FromKeeper[] = [];
  readonly warned: string[] = [];
  readonly asked: string[] = [];
  answer: () => Promise<Renewal | null> = async () => ({ now: 77, workersAlive: 3 });
  readonly renewal = new LeaseRenewal({
    leaseMs: LEASE_MS,
    renew: (worker) => (this.asked.push(worker), this.answer()),
    tell: (message) => this.told.push(message),
    now: () => this.nowMs,
    log: { warn: (_: object, message: string) => this.warned.push(message) } as never,
  });

  keep(worker: string, deadlineMs = LEASE_MS): SharedDeadline {
    const deadline = SharedDeadline.at(deadlineMs);
    this.renewal.keep(worker, deadline.buffer);
    return deadline;
  }
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('LeaseRenewal', () => {
  it('extends from before the question was sent, and tells what was answered', async () => {
    const bench = new Bench();
    const deadline = bench.keep('me');
    bench.nowMs = 2_000;
    bench.answer = async () => ((bench.nowMs = 2_500), { now: 77, workersAlive: 3 });
    await bench.renewal.look();
    expect(deadline.ms).toBe(12_000);
    expect(bench.told).toEqual([
      { kind: 'renewed', worker: 'me', databaseTime: 77, askedAtMs: 2_000, answeredAtMs: 2_500, workersAlive: 3 },
    ]);
  });

  it('renews five times a lease, until it is told to stop', async () => {
    const bench = new Bench();
    bench.keep('me', Infinity);
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    expect(bench.asked).toHaveLength(5);
    bench.renewal.stop();
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    expect(bench.asked).toHaveLength(5);
  });

  it.each<[string, (bench: Bench) => void]>([
    ['the database says that it is over', (bench) => (bench.answer = async () => null)],
    ['it was over before it asked', (bench) => (bench.nowMs = LEASE_MS)],
    [
      'it was over when the answer came',
      (bench) => (bench.answer = async () => ((bench.nowMs = LEASE_MS), { now: 77, workersAlive: 1 })),
    ],
  ])('never asks for it again when %s', async (_, lose) => {
    const bench = new Bench();
    const deadline = bench.keep('me');
    lose(bench);
    await bench.renewal.look();
    expect(bench.told).toEqual([{ kind: 'lost', worker: 'me' }]);
    expect(deadline.isOver(0)).toBe(true);
    bench.asked.length = 0;
    await jest.advanceTimersByTimeAsync(LEASE_MS);
    expect([bench.asked, bench.told.length]).toEqual([[], 1]);
  });

  it('goes on when the database does not answer, and tells at the end of the lease, not of the waiting', async () => {
    const bench = new Bench();
    bench.keep('me');
    bench.answer = async () => {
      throw new Error('refused');
    };
    await bench.renewal.look();
    expect([bench.told, bench.warned.length]).toEqual([[], 1]);
    let late = (_: Renewal | null): void => undefined;
    bench.answer = () => new Promise((resolve) => (late = resolve));
    void bench.renewal.look();
    bench.nowMs = 5_000;
    await bench.renewal.look();
    expect(bench.asked).toHaveLength(2);
    bench.nowMs = LEASE_MS;
    await bench.renewal.look();
    expect(bench.told).toEqual([{ kind: 'lost', worker: 'me' }]);
    late({ now: 77, workersAlive: 1 });
    await jest.advanceTimersByTimeAsync(0);
    expect(bench.told).toHaveLength(1);
  });

  it('forgets the old lease when it is given the next, also its late answers', async () => {
    const bench = new Bench();
    bench.keep('old');
    let late = (_: Renewal | null): void => undefined;
    bench.answer = () => new Promise((resolve) => (late = resolve));
    void bench.renewal.look();
    const answerOld = late;
    const deadline = bench.keep('new');
    void bench.renewal.look();
    answerOld(null);
    await jest.advanceTimersByTimeAsync(0);
    expect([bench.asked, bench.told, deadline.isOver(0)]).toEqual([['old', 'new'], [], false]);
  });
});
