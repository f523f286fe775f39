import fc from 'fast-check';
import { NO_SLOT, stepLabel, TurnSlotReader, TurnSlots, type WatchedTurn } from './turn-slots';

const ascii = (max: number) => fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: max });
const turn = fc.record({
  reply: ascii(400),
  store: fc.nat(1_000),
  jobId: fc.uuid(),
  takenAtMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
});
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const step = fc.record({
  ...{ run: fc.nat(1_000), head: fc.nat(62), idx: fc.nat(62), name, handler: name },
  startedAt: fc.nat(Number.MAX_SAFE_INTEGER),
  startedAtMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
  timeoutMs: fc.option(fc.nat(86_400_000)),
  unrecorded: fc.boolean(),
});

describe('TurnSlots', () => {
  it('shows the other side each turn and its step as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(turn, fc.option(step)), { maxLength: 8 }), (all) => {
        const slots = new TurnSlots(8);
        const expected = all.map(([{ reply, store, jobId, takenAtMs }, begun]): WatchedTurn => {
          const slot = slots.take(reply, store, jobId, takenAtMs);
          if (begun) {
            const { name: step, handler, startedAtMs, ...rest } = begun;
            slots.began(slot, { ...rest, label: stepLabel(step, handler) }, startedAtMs);
          }
          return { slot, reply, store, jobId, takenAtMs, step: begun && { ...begun, runs: true } };
        });
        const reader = new TurnSlotReader(slots.buffer);
        expect([...reader.turns()]).toEqual(expected);
        expect(reader.count()).toBe(all.length);
        for (const shown of expected) expect(reader.holds(shown)).toBe(true);
      }),
    );
  });

  it('takes each slot once, and again when it was given back; then it holds another turn', () => {
    const slots = new TurnSlots(2);
    const reader = new TurnSlotReader(slots.buffer);
    const take = (reply: string): number => slots.take(reply, 0, crypto.randomUUID(), 1);
    const [first, second] = [take('a'), take('b')];
    expect([first === second, take('c')]).toEqual([false, NO_SLOT]);
    const [shown] = reader.turns();
    slots.give(first);
    expect([reader.count(), shown && reader.holds(shown), take('d')]).toEqual([1, false, first]);
    expect(shown && reader.holds(shown)).toBe(false);
    expect([...reader.turns()].map(({ reply, step: begun }) => [reply, begun])).toEqual([
      ['d', null],
      ['b', null],
    ]);
  });

  it('shows a step until the next, whether it still runs, and whether it is recorded', () => {
    const slots = new TurnSlots(1);
    const reader = new TurnSlotReader(slots.buffer);
    const slot = slots.take('r', 0, crypto.randomUUID(), 1);
    const begin = (idx: number, unrecorded: boolean): void => {
      const label = stepLabel(`step-${idx}`, 'noop');
      slots.began(slot, { run: 1, head: 0, idx, label, startedAt: 1, timeoutMs: null, unrecorded }, 1);
    };
    const seen = (): unknown => {
      const begun = [...reader.turns()][0]?.step;
      return begun && [begun.name, begun.runs, begun.unrecorded];
    };
    begin(0, true);
    expect(seen()).toEqual(['step-0', true, true]);
    slots.ended(slot);
    expect(seen()).toEqual(['step-0', false, true]);
    slots.recorded(slot);
    begin(1, false);
    expect(seen()).toEqual(['step-1', true, false]);
    begin(2, true);
    slots.recorded(slot);
    expect(seen()).toEqual(['step-2', true, false]);
  });

  it('leaves out what does not fit, and takes no harm from what has no slot', () => {
    const slots = new TurnSlots(1);
    expect(TurnSlots.fits('x'.repeat(400))).toBe(true);
    expect([slots.take('x'.repeat(5_000), 0, crypto.randomUUID(), 1), slots.take('r', 0, 'short', 1)]).toEqual([
      NO_SLOT,
      NO_SLOT,
    ]);
    slots.ended(NO_SLOT);
    slots.recorded(NO_SLOT);
    slots.give(NO_SLOT);
    expect([...new TurnSlotReader(slots.buffer).turns()]).toEqual([]);
    expect(slots.take('r', 0, crypto.randomUUID(), 1)).not.toBe(NO_SLOT);
  });
});
