import type { WorkMessage } from '#shared/contracts/work-message';
import type { StepDefinition } from '#shared/domain/pipeline';
import type { FastSettled } from '#shared/store/jobs/fast-settlement';
import { set, stepNamed } from '../../../../test/support/drafts';
import { DONE, HORIZON, settled, taken, TurnBench as Bench } from '../../../../test/support/turn-bench';
import { Incarnation } from '../lease/worker-lease';
import type { AttemptEnd } from './step-execution';

describe('a delivery', () => {
  it('of an opening, for the first time, begins unread, and is acked after the commit and what it opened is published', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [settled({ opened: set(1) })];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'publish 1', 'ack']);
  });

  it.each<[string, Partial<WorkMessage>, number]>([
    ['comes again', {}, 2],
    ['is a repeat, or late', { read: true }, 1],
    ['is of a later run', { run: 2 }, 1],
    ['was opened before this worker registered', { at: HORIZON - 1 }, 1],
    ['was opened at the moment at which it registered', { at: HORIZON }, 1],
  ])('that %s is read first: nothing runs that was not claimed', async (_, message, deliveryCount) => {
    const bench = new Bench();
    expect(await bench.take(message, deliveryCount)).toEqual(['claim', 'ack']);
    bench.claims = [taken(0, 2)];
    expect(await bench.take(message, deliveryCount)).toEqual(['claim', 'run 0@2', 'end 0@2 completed', 'ack']);
  });

  it('of a limited step is read first', async () => {
    for (const limit of [{ concurrency: 1 }, { resources: { gpu: 1 } }]) {
      expect(await new Bench([stepNamed('a', limit)]).take()).toEqual(['claim', 'ack']);
    }
  });

  it('under a lease that is over is neither begun nor claimed', async () => {
    const bench = new Bench();
    bench.lease.end();
    expect(await bench.take()).toEqual(['nak 250']);
    expect(await bench.take({}, 2)).toEqual(['nak 250']);
  });

  it('to a worker that drains is handed back untouched', async () => {
    const bench = new Bench();
    bench.draining = true;
    expect(await bench.take()).toEqual(['nak']);
  });

  it.each([1, 2])('of a job that is known to be cancelled is dropped, unread or not (delivery %s)', async (count) => {
    const bench = new Bench();
    bench.knownCancelled = true;
    expect(await bench.take({}, count)).toEqual(['look again', 'ack']);
  });

  it('of a pipeline or a step that nobody knows is acked: its job is gone', async () => {
    const bench = new Bench();
    expect(await bench.take({ pipeline_hash: 'gone' })).toEqual(['ack']);
    expect(await bench.take({ head: 3 })).toEqual(['ack']);
  });

  it.each(['', '{', 'null', '[]', '{"job_id":"x"}', '{"job_id":1e999}', JSON.stringify({ run: 1, head: 63 })])(
    'that is no turn is terminated: %s',
    async (text) => expect(await new Bench().take(text)).toEqual(['term']),
  );

  it('of a turn that is at work here already comes back later, and leaves that one alone', async () => {
    const bench = new Bench();
    let second: Promise<string[]> | undefined;
    bench.during = () => (second ??= bench.take({}, 2));
    const first = await bench.take();
    expect(second).toBeDefined();
    expect([first, await second].flat()).toEqual(expect.arrayContaining(['nak 1000', 'settle 0,1,2', 'ack']));
    expect([first, await second].flat()).not.toContain('claim');
    expect(bench.turns.size).toBe(0);
  });

  it('whose claim says so waits, ends, or is over', async () => {
    const bench = new Bench();
    bench.claims = [
      { kind: 'later', delayMs: 2_500 },
      { kind: 'quarantined', idx: 0 },
    ];
    expect(await bench.take({}, 2)).toEqual(['claim', 'nak 2500']);
    expect(await bench.take({}, 3)).toEqual(['claim', 'ack']);
  });

  it('that cannot be recorded comes again, later and later, and is forgotten here', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [new Error('malformed')];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'nak 500']);
    expect(bench.turns.size).toBe(0);
    bench.claims = [taken(0, 2)];
    bench.readSettles = [new Error('malformed')];
    expect(await bench.take({}, 4)).toEqual(['claim', 'run 0@2', 'end 0@2 completed', 'nak 4000']);
    expect(bench.turns.size).toBe(0);
  });
});

describe('a turn that goes on', () => {
  it('runs on along a chain of steps that may run again, and records them together', async () => {
    expect(await new Bench().take()).toEqual(['run 0@1', 'run 1@1', 'run 2@1', 'settle 0,1,2', 'ack']);
  });

  it.each<[string, StepDefinition[]]>([
    ['of another queue', [stepNamed('a'), stepNamed('b', { needs: ['a'], queue: 'other' })]],
    ['that needs a token', [stepNamed('a'), stepNamed('b', { needs: ['a'], concurrency: 1 })]],
    ['that needs what others complete', [stepNamed('a'), stepNamed('x'), stepNamed('b', { needs: ['a', 'x'] })]],
    ['that is one of several', [stepNamed('a'), stepNamed('b', { needs: ['a'] }), stepNamed('c', { needs: ['a'] })]],
  ])('never runs on with a step %s', async (_, steps) => {
    expect(await new Bench(steps).take()).toEqual(['run 0@1', 'settle 0', 'ack']);
  });

  it('never runs on past a result that is not recorded, unless both may run again', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'ack']);
  });

  it('never runs on when the worker drains, or has lost its lease', async () => {
    const bench = new Bench();
    bench.during = () => (bench.draining = true);
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'ack']);
    const other = new Bench();
    other.during = () => (other.lease = new Incarnation('me-2', HORIZON, Infinity));
    expect(await other.take()).toEqual(['run 0@1', 'settle 0', 'ack']);
  });

  it('goes on with the step that it kept, and publishes the others first', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [settled({ opened: set(2), kept: 1 }), settled()];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'publish 2', 'run 1@1', 'settle 1', 'ack']);
  });

  it('claims the step that it kept when its lease was lost before that began', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [settled({ opened: set(2), kept: 1 })];
    bench.duringPublish = () => (bench.lease = new Incarnation('me-2', HORIZON, Infinity));
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'publish 2', 'claim', 'ack']);
  });
});

describe('a turn whose step fails', () => {
  const failed: AttemptEnd = {
    ...{ kind: 'failed', outcome: 'failed', error: { message: 'x', kind: 'transient', code: null }, leastMs: 0 },
  };

  it('rests for the delay that was recorded, keeps its message, and goes on with what it then reads', async () => {
    const bench = new Bench([stepNamed('a')]);
    bench.ends = [failed, failed];
    expect(await bench.take()).toEqual(['run 0@1', 'end 0@1 failed', 'working']);
    expect([bench.rest?.message.read, bench.turns.size]).toEqual([true, 0]);
    expect(bench.rest?.delayMs).toBeGreaterThan(900);
    expect(bench.rest?.delayMs).toBeLessThanOrEqual(1_001);
    bench.claims = [taken(0, 2), taken(0, 3)];
    expect(await bench.resume()).toEqual(['claim', 'run 0@2', 'end 0@2 failed', 'working']);
    expect(await bench.resume()).toEqual(['claim', 'run 0@3', 'end 0@3 completed', 'ack']);
    expect(bench.rest).toBeNull();
  });

  it('keeps small data through the rest, and large ones not', async () => {
    const dataOf = async (size: number): Promise<unknown> => {
      const bench = new Bench([stepNamed('a')]);
      bench.ends = [failed];
      const input = { text: 'x'.repeat(size) };
      const source = { source: null, source_type: null, branch: null, commit: null };
      await bench.take({ data: { ...source, input, options: {}, outputs: {} } });
      return bench.rest?.message.data;
    };
    expect(await dataOf(10)).toMatchObject({ input: { text: 'xxxxxxxxxx' } });
    expect(await dataOf(5_000)).toBeUndefined();
  });

  it('leaves the retry to the scheduler when the worker waits for too many, and wakes it if that is soon', async () => {
    const bench = new Bench([stepNamed('a')]);
    bench.resting = 25_000;
    bench.ends = [failed];
    expect(await bench.take()).toEqual(['run 0@1', 'end 0@1 failed', 'wake the scheduler', 'ack']);
  });

  it('is acked when the scheduler sees to the retry, and when there is none', async () => {
    const back_off = { strategy: 'fixed', initial_ms: 60_000, factor: 2, max_ms: 60_000, jitter: 0 } as const;
    for (const step of [stepNamed('a', { back_off }), stepNamed('a', { max_retries: 0 })]) {
      const bench = new Bench([step]);
      bench.ends = [failed];
      expect(await bench.take()).toEqual(['run 0@1', 'end 0@1 failed', 'ack']);
    }
  });

  it('records first what it had completed before', async () => {
    const bench = new Bench();
    bench.ends = [DONE, failed];
    expect(await bench.take()).toEqual(['run 0@1', 'run 1@1', 'record 0,1', 'end 1@1 failed', 'working']);
  });

  it('says that tokens are free', async () => {
    const bench = new Bench([stepNamed('a', { concurrency: 1 })]);
    bench.claims = [taken(0, 2)];
    bench.ends = [failed];
    expect(await bench.take()).toEqual(['claim', 'run 0@2', 'end 0@2 failed', 'tokens free', 'working']);
  });
});

describe('a step that has crashed a worker before', () => {
  it('is under suspicion until it has run for longer than it had then: others need not wait for its end', async () => {
    jest.useFakeTimers();
    try {
      const bench = new Bench([stepNamed('a')]);
      bench.claims = [{ kind: 'taken', idx: 0, epoch: 2, attempt: 2, suspectMs: 500 }];
      const seen: boolean[] = [];
      let next: Promise<boolean> | undefined;
      bench.during = (turn) => {
        bench.turns.setSuspect(turn, true);
        next = bench.turns.waitForSuspect();
        jest.advanceTimersByTime(499);
        seen.push(bench.turns.mayTakeSuspect());
        jest.advanceTimersByTime(1);
        seen.push(bench.turns.mayTakeSuspect());
      };
      await bench.take({}, 2);
      expect(seen).toEqual([false, true]);
      expect(await next).toBe(true);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('a turn that is stale', () => {
  const STALE: FastSettled = { kind: 'stale' };

  it('drops what it did and acks', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [STALE];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'ack']);
    bench.claims = [taken(0, 2)];
    bench.readSettles = [{ kind: 'stale' }];
    expect(await bench.take({}, 2)).toEqual(['claim', 'run 0@2', 'end 0@2 completed', 'ack']);
  });

  it('asks the rows what became of it when a write of its own was in doubt', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [STALE];
    bench.during = (turn) => (turn.inDoubt = true);
    bench.claims = [taken(1, 2)];
    bench.readSettles = [{ kind: 'settled', kept: null, retry: null }];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'claim', 'run 1@2', 'end 1@2 completed', 'ack']);
  });

  it('forgets its own outputs then: others may have recorded other ones', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [STALE];
    const known: string[][] = [];
    bench.during = (turn) => {
      known.push([...turn.outputs.keys()]);
      turn.outputs.set('a', {});
      turn.inDoubt = true;
    };
    bench.claims = [taken(1, 2)];
    await bench.take();
    expect(known).toEqual([[], []]);
  });

  it('records nothing of a step that a flush has found stale', async () => {
    const bench = new Bench();
    bench.during = (turn) => (turn.stale = true);
    expect(await bench.take()).toEqual(['run 0@1', 'ack']);
  });
});

describe('a turn that is stopped by the drain', () => {
  const stopped: AttemptEnd = { kind: 'stopped', reason: 'drain' };

  it('gives back the step that it has claimed, and its message at once', async () => {
    const bench = new Bench();
    bench.claims = [taken(0, 4)];
    bench.ends = [stopped];
    expect(await bench.take({}, 2)).toEqual(['claim', 'run 0@4', 'hand back 0@4 of me-1', 'nak']);
  });

  it('hands back a step of which nothing is recorded', async () => {
    const bench = new Bench();
    bench.ends = [stopped];
    expect(await bench.take()).toEqual(['run 0@1', 'nak']);
  });

  it('records what it had completed, and publishes what that opened', async () => {
    const bench = new Bench();
    bench.ends = [DONE, stopped];
    bench.settles = [settled({ opened: set(1) })];
    expect(await bench.take()).toEqual(['run 0@1', 'run 1@1', 'settle 0', 'publish 1', 'ack']);
  });
});
