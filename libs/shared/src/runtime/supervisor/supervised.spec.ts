import type { ProcessExit } from '#shared/runtime/embedded/guardian';
import { Supervised } from './supervised';

const QUICK = { secondPauseMs: 1, maxPauseMs: 2, steadyAfterMs: 60_000 };

/** A process that a test ends at will. */
class FakeProcess {
  private end!: (exit: ProcessExit) => void;
  readonly exited = new Promise<ProcessExit>((resolve) => {
    this.end = resolve;
  });
  constructor(readonly pid: number) {}

  die(exit: ProcessExit = { code: null, signal: 'SIGKILL' }): void {
    this.end(exit);
  }

  stop(): Promise<ProcessExit> {
    this.die({ code: 0, signal: null });
    return this.exited;
  }
}

class Starts {
  readonly said: string[] = [];
  readonly processes: FakeProcess[] = [];
  private waiting: (() => void) | undefined;
  /** Start numbers (from 1) that fail. */
  constructor(private readonly failing: readonly number[] = []) {}
  private count = 0;

  readonly start = async (): Promise<FakeProcess> => {
    this.count++;
    if (this.failing.includes(this.count)) throw new Error(`start ${this.count} failed`);
    const started = new FakeProcess(this.count);
    this.processes.push(started);
    this.waiting?.();
    return started;
  };

  /** Resolves when so many processes were started. */
  async reach(count: number): Promise<void> {
    while (this.processes.length < count) await new Promise<void>((resolve) => (this.waiting = resolve));
  }
}

function supervise(starts: Starts): Supervised {
  return new Supervised({ name: 'worker', start: starts.start, say: (line) => starts.said.push(line), policy: QUICK });
}

describe('Supervised', () => {
  it('starts again what dies, and says what died, how, and when it comes back', async () => {
    const starts = new Starts();
    const supervised = supervise(starts);
    await supervised.start();
    starts.processes[0]?.die();
    await starts.reach(2);
    starts.processes[1]?.die({ code: 3, signal: null });
    await starts.reach(3);
    expect(starts.said).toEqual([
      'worker ended with signal SIGKILL; starting it again at once',
      'worker ended with exit code 3; starting it again in 0.001 s',
    ]);
    await supervised.stop();
    expect(supervised.restarts).toBe(2);
  });

  it('tries again when a restart fails', async () => {
    const starts = new Starts([2, 3]);
    const supervised = supervise(starts);
    await supervised.start();
    starts.processes[0]?.die();
    await starts.reach(2);
    expect(starts.said.slice(1)).toEqual([
      'worker did not start (start 2 failed); starting it again in 0.001 s',
      'worker did not start (start 3 failed); starting it again in 0.002 s',
    ]);
    await supervised.stop();
  });

  it('does not supervise what fails at its first start', async () => {
    const starts = new Starts([1]);
    await expect(supervise(starts).start()).rejects.toThrow('start 1 failed');
    expect(starts.said).toEqual([]);
  });

  it('stops what runs and does not start it again', async () => {
    const starts = new Starts();
    const supervised = supervise(starts);
    await supervised.start();
    await supervised.stop();
    expect(await starts.processes[0]?.exited).toEqual({ code: 0, signal: null });
    expect(starts.processes).toHaveLength(1);
    expect(starts.said).toEqual([]);
  });

  it('ends what was just being started when it was told to stop', async () => {
    const started = new FakeProcess(1);
    let letStart!: () => void;
    const start = (): Promise<FakeProcess> => new Promise((resolve) => (letStart = () => resolve(started)));
    const supervised = new Supervised({ name: 'w', start, say: () => undefined, policy: QUICK });
    const starting = supervised.start();
    const stopping = supervised.stop();
    letStart();
    await Promise.all([starting, stopping]);
    expect(await started.exited).toEqual({ code: 0, signal: null });
    await expect(supervised.start()).rejects.toThrow('was told to stop');
  });

  it('stops at once while it waits to start again', async () => {
    const starts = new Starts();
    const patient = { secondPauseMs: 3_600_000, maxPauseMs: 3_600_000, steadyAfterMs: 3_600_000 };
    const supervised = new Supervised({
      name: 'w',
      start: starts.start,
      say: (l) => starts.said.push(l),
      policy: patient,
    });
    await supervised.start();
    starts.processes[0]?.die();
    await starts.reach(2);
    starts.processes[1]?.die();
    await starts.processes[1]?.exited;
    await supervised.stop();
    expect(starts.processes).toHaveLength(2);
  });
});
