import fc from 'fast-check';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import { FairShare, PRIORITY_WEIGHTS, type LaneDemand } from './fair-share';

const MANY = 1_000_000;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const lane = (priority: Priority, backlog: number, held = 0): LaneDemand => ({ priority, backlog, held });
const laneOf = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  backlog: fc.nat({ max: 40 }),
  held: fc.nat({ max: 40 }),
});

describe('FairShare', () => {
  it('gives 12, 3 and 1 of 16 when all have a backlog', () => {
    const share = new FairShare(PRIORITIES);
    const all = PRIORITIES.map((priority) => lane(priority, MANY));
    expect(share.divide(16, 64, all)).toEqual([12, 3, 1]);
    expect(share.divide(160, 640, all)).toEqual([120, 30, 10]);
  });

  it('gives the first of few slots to high, and yet the lowest one of any 16 in a row', () => {
    const share = new FairShare(PRIORITIES);
    const all = PRIORITIES.map((priority) => lane(priority, MANY));
    const winners = Array.from({ length: 1_000 }, () => share.divide(1, 1, all).indexOf(1));
    expect(winners[0]).toBe(0);
    for (let from = 0; from + 16 <= winners.length; from += 1) {
      expect(winners.slice(from, from + 16)).toContain(2);
    }
  });

  it('never gives more than is free or wanted, and leaves nothing free while something is wanted', () => {
    const rounds = fc.array(fc.tuple(fc.nat({ max: 30 }), fc.array(laneOf, { minLength: 3, maxLength: 3 })));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), rounds, (slots, steps) => {
        for (const [free, lanes] of steps) {
          const share = new FairShare(lanes.map(({ priority }) => priority));
          const grants = share.divide(free, slots, lanes);
          grants.forEach((grant, i) => expect(grant).toBeLessThanOrEqual(lanes[i]?.backlog ?? 0));
          expect(sum(grants)).toBe(Math.min(free, sum(lanes.map(({ backlog }) => backlog))));
        }
      }),
    );
  });

  it('starves no lane that has a backlog, however many there are and whatever comes and goes elsewhere', () => {
    const priorities = fc.array(fc.constantFrom(...PRIORITIES), { minLength: 1, maxLength: 12 });
    const comings = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(priorities, comings, fc.integer({ min: 1, max: 8 }), (all, comes, free) => {
        const share = new FairShare(all);
        const watched = all.length - 1;
        const bound = 2 * (sum(all.map((priority) => PRIORITY_WEIGHTS[priority])) + all.length);
        let given = 0;
        for (let slots = 0; slots <= bound && given === 0; slots += free) {
          const lanes = all.map((priority, i) => lane(priority, i === watched || comes.next().value ? MANY : 0));
          given = share.divide(free, MANY, lanes)[watched] ?? 0;
        }
        expect(given).toBeGreaterThan(0);
      }),
    );
  });

  it('does not let long low work gather all slots while high has a backlog', () => {
    const slots = 40;
    const share = new FairShare(PRIORITIES);
    const held = [0, 0, 0];
    for (let i = 0; i < 2_000; i += 1) {
      const free = slots - sum(held);
      const grants = share.divide(
        free,
        slots,
        PRIORITIES.map((priority, at) => lane(priority, MANY, held[at])),
      );
      grants.forEach((grant, at) => (held[at] = (held[at] ?? 0) + grant));
      held[0] = 0; // high ends at once, the others never do
    }
    expect(held[2]).toBeLessThanOrEqual(slots / 4);
    expect(held[1]).toBeLessThanOrEqual(slots / 2);
  });

  it('gives a lane that comes back no more than its share for the time it wanted nothing', () => {
    const share = new FairShare(PRIORITIES);
    share.divide(1_600, MANY, [lane('high', MANY), lane('default', MANY), lane('low', 0)]);
    const [, , low = 0] = share.divide(
      160,
      MANY,
      PRIORITIES.map((priority) => lane(priority, MANY)),
    );
    expect(low).toBeLessThanOrEqual(11);
  });

  it('takes back what could not be used', () => {
    const used = new FairShare(PRIORITIES);
    const refunded = new FairShare(PRIORITIES);
    const all = PRIORITIES.map((priority) => lane(priority, MANY));
    refunded.divide(1, 64, all);
    refunded.refund(0, 1);
    expect(refunded.divide(16, 64, all)).toEqual(used.divide(16, 64, all));
  });
});
