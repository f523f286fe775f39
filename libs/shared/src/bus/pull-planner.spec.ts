import fc from 'fast-check';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { PullPlanner, type LanePull, type LaneState } from './pull-planner';

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const asked = (pulls: readonly LanePull[]): number => sum(pulls.map(({ batch }) => batch));
const idle = (priority: Priority, more: Partial<LaneState> = {}): LaneState => ({
  priority,
  backlog: 0,
  held: 0,
  waiting: 0,
  fetching: false,
  blocked: false,
  unseenMs: Infinity,
  ...more,
});
const idleLanes = (more: Partial<LaneState> = {}): LaneState[] => PRIORITIES.map((priority) => idle(priority, more));
const laneState = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  backlog: fc.nat({ max: 50 }),
  held: fc.nat({ max: 20 }),
  waiting: fc.nat({ max: 3 }),
  fetching: fc.boolean(),
  blocked: fc.boolean(),
  unseenMs: fc.constantFrom(0, 30, 100, 1_000),
});

describe('PullPlanner', () => {
  it('never asks for more than is free, nor where it may not, nor twice', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.array(fc.tuple(fc.nat({ max: 60 }), fc.array(laneState, { minLength: 6, maxLength: 6 }))),
        (slots, rounds) => {
          const planner = new PullPlanner(slots, rounds[0]?.[1].map(({ priority }) => priority) ?? []);
          for (const [free, states] of rounds) {
            const lanes = states.map((state, i) => ({ ...state, priority: rounds[0]?.[1][i]?.priority ?? 'low' }));
            const pulls = planner.plan(Math.min(free, slots), lanes);
            expect(asked(pulls)).toBeLessThanOrEqual(Math.min(free, slots));
            expect(new Set(pulls.map(({ lane }) => lane)).size).toBe(pulls.length);
            for (const { lane, kind, batch } of pulls) {
              expect(batch).toBeGreaterThan(0);
              expect(lanes[lane]?.blocked).toBe(false);
              expect(kind === 'wait' ? lanes[lane]?.waiting : lanes[lane]?.fetching).toBeFalsy();
            }
          }
        },
      ),
    );
  });

  it('keeps a pull waiting at every lane while nothing is known to wait, and slots free for what comes', () => {
    const pulls = new PullPlanner(50, PRIORITIES).plan(50, idleLanes());
    expect(pulls).toEqual([0, 1, 2].map((lane) => ({ lane, kind: 'wait', batch: 8, expiresMs: 1_000 })));
  });

  it('goes round with short pulls when there are fewer free slots than lanes', () => {
    const planner = new PullPlanner(1, PRIORITIES);
    const seen = Array.from({ length: 6 }, () => planner.plan(1, idleLanes()));
    expect(seen.map(([pull]) => pull?.lane)).toEqual([0, 1, 2, 0, 1, 2]);
    expect(seen[0]).toEqual([{ lane: 0, kind: 'wait', batch: 1, expiresMs: 50 }]);
  });

  it('goes round all lanes with any number of slots', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 30 }), (slots, count) => {
        const priorities = Array.from({ length: count }, (_, i) => PRIORITIES[i % 3] ?? 'low');
        const planner = new PullPlanner(slots, priorities);
        const seen = new Set<number>();
        for (let round = 0; round < Math.ceil(count / Math.min(slots, count)); round += 1) {
          for (const { lane } of planner.plan(
            slots,
            priorities.map((priority) => idle(priority)),
          ))
            seen.add(lane);
        }
        expect(seen.size).toBe(count);
      }),
    );
  });

  it('gives all free slots to a known backlog, and none to stand by', () => {
    const lanes = idleLanes({ unseenMs: 5 });
    lanes[1] = idle('default', { backlog: 100 });
    expect(new PullPlanner(50, PRIORITIES).plan(50, lanes)).toEqual([
      { lane: 1, kind: 'fetch', batch: 50, expiresMs: 0 },
    ]);
  });

  it('looks at higher lanes often, at lower ones now and then, before the backlog gets the slot', () => {
    const look = (unseenMs: number): (number | undefined)[] => {
      const lanes = idleLanes({ unseenMs });
      lanes[1] = idle('default', { backlog: 100 });
      return new PullPlanner(50, PRIORITIES).plan(3, lanes).map(({ lane, batch }) => lane * 100 + batch);
    };
    expect(look(5)).toEqual([103]);
    expect(look(30)).toEqual([1, 102]);
    expect(look(300)).toEqual([1, 201, 101]);
  });

  it('keeps the share of a lane free for the moment until its fetch is answered', () => {
    const lanes = idleLanes({ backlog: 100, unseenMs: 0 });
    lanes[0] = idle('high', { backlog: 100, fetching: true });
    const pulls = new PullPlanner(64, PRIORITIES).plan(16, lanes);
    expect(pulls.map(({ lane, batch }) => [lane, batch])).toEqual([
      [1, 3],
      [2, 1],
    ]);
  });
});
