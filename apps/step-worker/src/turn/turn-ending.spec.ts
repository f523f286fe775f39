import fc from 'fast-check';
import type { Delivery } from '#shared/bus/work-consumer';
import { endTurn, suspectDelayMs, troubleDelayMs, type TurnEnding } from './turn-ending';

/** What was said of a delivery, in order. */
function said(ending: TurnEnding): string[] {
  const words: string[] = [];
  const delivery: Delivery = {
    queue: 'default',
    priority: 'default',
    data: new Uint8Array(),
    text: () => '',
    deliveryCount: 1,
    streamSeq: 1,
    forgetData: () => words.push('forget'),
    reply: '$JS.ACK',
    store: 0,
    ack: () => words.push('ack'),
    nak: (delayMs) => words.push(delayMs === undefined ? 'nak' : `nak ${delayMs}`),
    working: () => words.push('working'),
    term: () => words.push('term'),
  };
  endTurn(delivery, ending);
  return words;
}

describe('endTurn', () => {
  it('says exactly one thing for each ending', () => {
    expect(said({ kind: 'done' })).toEqual(['ack']);
    expect(said({ kind: 'rest', delayMs: 500 })).toEqual(['working', 'forget']);
    expect(said({ kind: 'later', delayMs: 2_500.4 })).toEqual(['nak 2500']);
    expect(said({ kind: 'handed_back' })).toEqual(['nak']);
    expect(said({ kind: 'garbage' })).toEqual(['term']);
  });

  it('never turns "later" into "at once": no delay is below a millisecond', () => {
    expect(said({ kind: 'later', delayMs: 0 })).toEqual(['nak 1']);
    expect(said({ kind: 'later', delayMs: 0.2 })).toEqual(['nak 1']);
    expect(said({ kind: 'later', delayMs: -5 })).toEqual(['nak 1']);
  });
});

describe.each([
  ['suspectDelayMs', suspectDelayMs, 50, 1_000],
  ['troubleDelayMs', troubleDelayMs, 500, 10_000],
] as const)('%s', (_, delayMs, first, longest) => {
  it('begins short', () => expect(delayMs(1)).toBe(first));

  it('never falls from one delivery to the next, and has a limit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), (count) => {
        expect(delayMs(count + 1)).toBeGreaterThanOrEqual(delayMs(count));
        expect(delayMs(count)).toBeLessThanOrEqual(longest);
      }),
    );
    expect(delayMs(1_000_000)).toBe(longest);
  });
});
