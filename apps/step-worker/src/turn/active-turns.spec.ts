import type { Delivery } from '#shared/bus/work-consumer';
import { Incarnation } from '../lease/worker-lease';
import { ActiveTurn } from './active-turn';
import { ActiveTurns } from './active-turns';

const ME = new Incarnation('me', 0, Infinity);

function turnOf(job: string, head: number, run = 1): ActiveTurn {
  const message = { job_id: job, run, head, at: 1, read: false, pipeline_hash: 'h' };
  return new ActiveTurn(message, {} as Delivery, ME);
}

const at = (turn: ActiveTurn, idx: number): ActiveTurn => {
  turn.current = { idx, epoch: 1, attempt: 1, grantedBy: ME };
  return turn;
};

describe('ActiveTurns', () => {
  it('has one turn per job, run and head', () => {
    const turns = new ActiveTurns();
    const first = turnOf('a', 0);
    expect(turns.add(first)).toBe(true);
    expect(turns.add(turnOf('a', 0))).toBe(false);
    expect([turns.add(turnOf('a', 1)), turns.add(turnOf('a', 0, 2)), turns.add(turnOf('b', 0))]).toEqual([
      true,
      true,
      true,
    ]);
    expect(turns.size).toBe(4);
    turns.delete(first);
    expect(turns.add(turnOf('a', 0))).toBe(true);
  });

  it('knows a step that a turn runs, or has run and not yet recorded', () => {
    const turns = new ActiveTurns();
    const turn = at(turnOf('a', 0), 1);
    turn.unrecorded = [{ kind: 'running', idx: 0, startedAt: 1 }];
    turns.add(turn);
    expect([0, 1, 2].map((idx) => turns.knows('a', idx))).toEqual([true, true, false]);
    expect(turns.knows('b', 1)).toBe(false);
  });

  it('takes a turn that is about to claim for one that may have any step of its job', () => {
    const turns = new ActiveTurns();
    turns.add(turnOf('a', 0));
    expect(turns.knows('a', 5)).toBe(true);
    expect(turns.knows('b', 5)).toBe(false);
  });

  it('leaves out the turn that asks', () => {
    const turns = new ActiveTurns();
    const asking = at(turnOf('a', 0), 0);
    turns.add(asking);
    expect(turns.knows('a', 0, asking)).toBe(false);
    turns.add(at(turnOf('a', 1), 0));
    expect(turns.knows('a', 0, asking)).toBe(true);
  });

  it('has one suspect at a time, however often it is told', () => {
    const turns = new ActiveTurns();
    const turn = turnOf('a', 0);
    expect(turns.mayTakeSuspect()).toBe(true);
    turns.setSuspect(turn, true);
    turns.setSuspect(turn, true);
    expect(turns.mayTakeSuspect()).toBe(false);
    turns.setSuspect(turn, false);
    turns.setSuspect(turn, false);
    expect(turns.mayTakeSuspect()).toBe(true);
  });

  it('says when there are none left', async () => {
    const turns = new ActiveTurns();
    await turns.none();
    const [one, other] = [turnOf('a', 0), turnOf('b', 0)];
    turns.add(one);
    turns.add(other);
    let none = false;
    const waiting = Promise.all([turns.none(), turns.none()]).then(() => (none = true));
    turns.delete(one);
    await Promise.resolve();
    expect([none, turns.hasJob('a'), turns.hasJob('b')]).toEqual([false, false, true]);
    turns.delete(other);
    await waiting;
    expect(turns.size).toBe(0);
  });
});

describe('suspects that wait', () => {
  it('go on one at a time, each when a turn has ended', async () => {
    const turns = new ActiveTurns();
    const running = turnOf('a', 0);
    turns.setSuspect(running, true);
    const order: string[] = [];
    const first = turns.waitForSuspect().then((go) => order.push(`first ${go}`));
    const second = turns.waitForSuspect().then((go) => order.push(`second ${go}`));
    turns.wakeWaiter();
    expect(order).toEqual([]);
    turns.setSuspect(running, false);
    turns.wakeWaiter();
    await first;
    expect(order).toEqual(['first true']);
    turns.wakeWaiter();
    await second;
    expect(order).toEqual(['first true', 'second true']);
  });

  it('are few, and are sent away by a drain', async () => {
    const turns = new ActiveTurns();
    turns.setSuspect(turnOf('a', 0), true);
    const waiting = Array.from({ length: 16 }, () => turns.waitForSuspect());
    expect(await turns.waitForSuspect()).toBe(false);
    turns.giveUpWaiting();
    expect(await Promise.all(waiting)).toEqual(Array.from({ length: 16 }, () => false));
  });
});
