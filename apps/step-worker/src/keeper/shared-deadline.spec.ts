import fc from 'fast-check';
import { SharedDeadline } from './shared-deadline';

const time = fc.integer({ min: 1, max: 1_000_000 });
const moves = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('look' as const), afterMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('extend' as const), afterMs: fc.nat(50), byMs: fc.integer({ min: 1, max: 100 }) }),
  ),
);

describe('SharedDeadline', () => {
  it('is over from its moment on, seen from either side', () => {
    fc.assert(
      fc.property(time, (atMs) => {
        const mine = SharedDeadline.at(atMs);
        const theirs = new SharedDeadline(mine.buffer);
        expect([mine.isOver(atMs - 0.01), theirs.isOver(atMs - 0.01)]).toEqual([false, false]);
        expect([theirs.isOver(atMs), mine.ms]).toEqual([true, 0]);
      }),
    );
  });

  it('once over, stays so, whatever either side does', () => {
    fc.assert(
      fc.property(moves, (all) => {
        const keeper = SharedDeadline.at(100);
        const main = new SharedDeadline(keeper.buffer);
        let nowMs = 0;
        let wasOver = false;
        for (const move of all) {
          nowMs += move.afterMs;
          if (move.kind === 'look') {
            const isOver = main.isOver(nowMs);
            expect(isOver || !wasOver).toBe(true);
            wasOver = isOver;
          } else if (!keeper.extend(nowMs + move.byMs, nowMs)) wasOver = true;
          else expect(wasOver).toBe(false);
        }
      }),
    );
  });

  it('is not extended once it was ended, nor when the extension comes late', () => {
    const deadline = SharedDeadline.at(100);
    expect([deadline.extend(200, 99), deadline.ms]).toEqual([true, 200]);
    expect([deadline.extend(300, 200), deadline.ms]).toEqual([false, 0]);
    const ended = SharedDeadline.at(100);
    ended.end();
    expect([ended.extend(200, 50), ended.isOver(0)]).toEqual([false, true]);
  });

  it('takes any time, also one without an end', () => {
    expect(SharedDeadline.at(Infinity).isOver(1e12)).toBe(false);
    expect([new SharedDeadline().isOver(0), SharedDeadline.at(0).isOver(0)]).toEqual([true, true]);
  });
});
