import { BlockedLoop, type BegunTurn } from './blocked-loop';
import type { WatchedStep, WatchedTurn } from './turn-slots';

const ACK_WAIT_MS = 30_000;
const LEASE_MS = 10_000;

class Bench {
  turns: WatchedTurn[] = [];
  store = 0;
  recording = true;
  /** Whether slots still hold what they were read to hold. */
  holds = true;
  readonly working: string[] = [];
  readonly recorded: string[] = [];
  readonly acknowledged: string[][] = [];
  readonly lines: [level: string, fields: Record<string, unknown>, message: string][] = [];
  deaths = 0;
  readonly loop = new BlockedLoop({
    slots: { turns: () => this.turns.values() as Generator<WatchedTurn>, holds: () => this.holds },
    ackWaitMs: ACK_WAIT_MS,
    leaseMs: LEASE_MS,
    stuckAfterMs: 30_000,
    store: () => this.store,
    sayWorking: (reply) => this.working.push(reply),
    record: async (turns: readonly BegunTurn[]) => {
      this.recorded.push(...turns.map(({ reply }) => reply));
      return this.recording;
    },
    acknowledgeCancels: async (atWork) => void this.acknowledged.push([...atWork]),
    die: () => (this.deaths += 1),
    log: {
      warn: (fields: object, message: string) => this.lines.push(['warn', { ...fields }, message]),
      fatal: (fields: object, message: string) => this.lines.push(['fatal', { ...fields }, message]),
    } as never,
  });

  /** Looks every second while it stands still. @returns what was said to be at work, by second */
  stand(seconds: number, fromMs = 0): string[][] {
    return Array.from({ length: seconds }, (_, i) => {
      this.loop.look((i + 1) * 1_000, fromMs + (i + 1) * 1_000);
      return this.working.splice(0);
    });
  }
}

const turn = (reply: string, over: Partial<WatchedTurn> = {}, step: Partial<WatchedStep> | null = {}): WatchedTurn => ({
  ...{ slot: 0, reply, store: 0, jobId: `job-of-${reply}`, takenAtMs: 0 },
  step: step && {
    ...{ run: 1, head: 0, idx: 0, name: 'crunch', handler: 'numbers', startedAtMs: 0, startedAt: 0 },
    ...{ timeoutMs: null, runs: true, unrecorded: false },
    ...step,
  },
  ...over,
});

describe('BlockedLoop', () => {
  it('does nothing while the loop turns', () => {
    const bench = new Bench();
    bench.turns = [turn('a', {}, { unrecorded: true, timeoutMs: 1 })];
    bench.loop.look(0, 1e9);
    expect([bench.working, bench.recorded, bench.lines, bench.deaths]).toEqual([[], [], [], 0]);
  });

  it('says working for each turn every third of the ack wait, for an old one at once', () => {
    const bench = new Bench();
    bench.turns = [turn('old', { takenAtMs: -25_000 }), turn('new', { takenAtMs: -1_000 })];
    const said = bench.stand(24);
    expect(said.flatMap((replies, i) => replies.map((reply) => `${reply} ${i + 1}`))).toEqual([
      ...['old 1', 'new 9', 'old 11', 'new 19', 'old 21'],
    ]);
  });

  it('says it at once again when the loop has turned since: the main thread may have been about to', () => {
    const bench = new Bench();
    bench.turns = [turn('a', { takenAtMs: -20_000 })];
    expect(bench.stand(1)).toEqual([['a']]);
    bench.loop.look(0, 2_000);
    expect(bench.stand(1, 2_000)).toEqual([['a']]);
  });

  it('speaks for no turn of a store that was lost, nor for one that has ended meanwhile', () => {
    const bench = new Bench();
    bench.turns = [turn('lost', { takenAtMs: -20_000 }), turn('there', { takenAtMs: -20_000, store: 1 })];
    bench.store = 1;
    expect(bench.stand(1)).toEqual([['there']]);
    bench.loop.look(0, 2_000);
    bench.holds = false;
    expect(bench.stand(1, 2_000)).toEqual([[]]);
  });

  it('records what is not recorded, once, also what has just ended, and again when that failed', async () => {
    const bench = new Bench();
    bench.turns = [turn('a', {}, { unrecorded: true }), turn('b'), turn('c', {}, null)];
    bench.turns.push(turn('ended', {}, { unrecorded: true, runs: false }));
    bench.recording = false;
    bench.stand(1);
    expect(bench.recorded.splice(0)).toEqual(['a', 'ended']);
    await Promise.resolve();
    bench.recording = true;
    bench.stand(3);
    expect(bench.recorded).toEqual(['a', 'ended']);
  });

  it('leaves a short standstill to itself but for the ack wait', () => {
    const bench = new Bench();
    bench.turns = [turn('a', { takenAtMs: -20_000 }, { unrecorded: true })];
    bench.loop.look(900, 900);
    bench.loop.look(0, 1_000);
    expect([bench.working, bench.recorded, bench.lines]).toEqual([['a'], [], []]);
  });

  it('names what runs, the latest first, at growing intervals, and says when it is over', () => {
    const bench = new Bench();
    bench.turns = [turn('a', {}, { startedAtMs: -5_000 }), turn('b', {}, { startedAtMs: -1_000, name: 'late' })];
    bench.turns.push(turn('ended', {}, { runs: false }));
    bench.stand(10);
    bench.loop.look(0, 11_000);
    expect(bench.lines.map(([level, { blocked_ms }]) => [level, blocked_ms])).toEqual([
      ...[1_000, 2_000, 4_000, 8_000, 10_000].map((ms) => ['warn', ms]),
    ]);
    expect(bench.lines[0]?.[1]).toEqual({
      ...{ blocked_ms: 1_000, running: 2 },
      steps: [
        { step: 'late', handler: 'numbers', job: 'job-of-b', for_ms: 2_000 },
        { step: 'crunch', handler: 'numbers', job: 'job-of-a', for_ms: 6_000 },
      ],
    });
    expect(bench.lines.at(-1)?.[2]).toBe('the event loop turns again');
  });

  it('ends the process when a step is past its time-out and all patience', () => {
    const bench = new Bench();
    bench.turns = [turn('a', {}, { timeoutMs: 5_000 }), turn('b'), turn('c', {}, { timeoutMs: 1, runs: false })];
    bench.stand(35);
    expect(bench.deaths).toBe(0);
    bench.loop.look(36_000, 36_000);
    expect(bench.deaths).toBe(1);
    expect(bench.lines.at(-1)).toEqual([
      'fatal',
      { step: 'crunch', handler: 'numbers', job: 'job-of-a', blocked_ms: 36_000 },
      expect.stringContaining('this worker ends with it'),
    ]);
  });

  it('acknowledges cancels but of what is in a slot, once the main thread must have noticed that it slept', async () => {
    const bench = new Bench();
    bench.turns = [turn('a'), turn('waiting', {}, null)];
    bench.stand(14);
    expect(bench.acknowledged).toEqual([]);
    bench.loop.look(15_000, 15_000);
    // One at a time: the first is not done yet.
    bench.loop.look(15_100, 15_100);
    expect(bench.acknowledged).toEqual([['job-of-a', 'job-of-waiting']]);
    await Promise.resolve();
    await Promise.resolve();
    bench.turns = [];
    bench.loop.look(15_200, 15_200);
    expect(bench.acknowledged).toEqual([['job-of-a', 'job-of-waiting'], []]);
  });
});
