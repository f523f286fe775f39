import type { LogLine } from '#shared/store/step-reports';
import { ProgressRecorder } from './progress-recorder';

const NAME = { jobId: 'job', idx: 2, step: 'loud', epoch: 1, attempt: 1 };

/** A recorder on a store that answers when the test says so. */
class Bench {
  readonly stored: LogLine[] = [];
  readonly trimmed: number[] = [];
  readonly warnings: string[] = [];
  answer: () => Promise<void> = async () => undefined;
  readonly recorder = new ProgressRecorder(
    {
      writeProgress: async () => undefined,
      writeLogs: async (lines) => {
        await this.answer();
        this.stored.push(...lines);
      },
      trimLogs: async (attempts) => void this.trimmed.push(attempts.length),
    },
    { progress: () => undefined },
    { now: () => 1_700_000_000_000_000 },
    { warn: (_: unknown, text: string) => this.warnings.push(text) } as never,
  );
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('ProgressRecorder', () => {
  it("writes lines within half a second, by the database's clock", async () => {
    const bench = new Bench();
    bench.recorder.of(NAME).log('warn', 'x'.repeat(5_000));
    await jest.advanceTimersByTimeAsync(500);
    expect(bench.stored).toEqual([
      {
        ...{ jobId: 'job', idx: 2, attempt: 1, level: 'warn', at: new Date(1_700_000_000_000) },
        message: 'x'.repeat(4_000),
      },
    ]);
  });

  it('keeps the last lines of an attempt that logs faster than can be written', async () => {
    const bench = new Bench();
    const { log } = bench.recorder.of(NAME);
    for (let i = 1; i <= 2_500; i += 1) log('info', String(i));
    await bench.recorder.flush();
    expect([bench.stored.length, bench.stored[0]?.message, bench.stored.at(-1)?.message]).toEqual([
      ...[1_000, '1501', '2500'],
    ]);
  });

  it('has the store trimmed now and then, so that an attempt that logs for hours keeps two thousand at most', async () => {
    const bench = new Bench();
    const { log } = bench.recorder.of(NAME);
    for (let flush = 1; flush <= 5; flush += 1) {
      for (let i = 0; i < 1_000; i += 1) log('info', 'more');
      await bench.recorder.flush();
    }
    expect(bench.trimmed).toEqual([0, 0, 1, 0, 1]);
  });

  it('writes one batch after another, and goes on after one that failed', async () => {
    const bench = new Bench();
    const { log } = bench.recorder.of(NAME);
    let release: () => void = () => undefined;
    bench.answer = () => new Promise((_, reject) => (release = () => reject(new Error('away'))));
    log('info', 'lost');
    const first = bench.recorder.flush();
    await jest.advanceTimersByTimeAsync(0);
    log('info', 'kept');
    const second = bench.recorder.flush();
    await jest.advanceTimersByTimeAsync(0);
    expect(bench.stored).toEqual([]);
    bench.answer = async () => undefined;
    release();
    await Promise.all([first, second]);
    expect([bench.stored.map(({ message }) => message), bench.warnings.length]).toEqual([['kept'], 1]);
  });
});
