import { set } from '../../../../test/support/drafts';
import { DONE, settled, taken, TurnBench as Bench } from '../../../../test/support/turn-bench';
import type { ActiveTurn } from './active-turn';
import type { AttemptEnd } from './step-execution';

describe('a cancel', () => {
  const cancel = (turn: ActiveTurn): void => turn.cancel();
  const STOPPED: AttemptEnd = { kind: 'stopped', reason: 'cancelled' };

  it('records the attempt that it stopped, ends the turn, and asks for a look that acknowledges it', async () => {
    const bench = new Bench();
    bench.during = cancel;
    bench.ends = [STOPPED];
    expect(await bench.take()).toEqual(['run 0@1', 'end 0@1 cancelled', 'look again', 'ack']);
  });

  it('of a turn that ran on records what was completed with what was stopped', async () => {
    const bench = new Bench();
    bench.ends = [DONE, STOPPED];
    bench.during = (turn) => turn.current?.idx === 1 && turn.cancel();
    expect(await bench.take()).toEqual([
      ...['run 0@1', 'run 1@1', 'record 0,1', 'end 1@1 cancelled', 'look again', 'ack'],
    ]);
  });

  it('lets a step that completes all the same be completed, and goes on to no other', async () => {
    const bench = new Bench();
    bench.during = cancel;
    bench.settles = [settled({ status: 'cancelling' })];
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'look again', 'ack']);
  });

  it('that comes while a settlement is under way lets the step that it keeps begin no more', async () => {
    const bench = new Bench();
    bench.repeatable = false;
    bench.settles = [settled({ kept: 1, opened: set(2) })];
    let turn: ActiveTurn | undefined;
    bench.during = (running) => (turn = running);
    bench.duringPublish = () => turn?.cancel();
    expect(await bench.take()).toEqual(['run 0@1', 'settle 0', 'publish 2', 'look again', 'ack']);
  });

  it('that comes before the begin, while the data are read, hands the row back: nothing of it ran', async () => {
    const bench = new Bench();
    bench.claims = [taken(0, 2)];
    bench.ends = [{ kind: 'stopped', reason: 'stale' }];
    bench.during = cancel;
    expect(await bench.take({}, 2)).toEqual(['claim', 'run 0@2', 'hand back 0@2 of me-1', 'look again', 'nak']);
  });
});
