import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { type BegunStep, stepLabel, TurnSlots } from '../../apps/step-worker/src/keeper/turn-slots';

interface Seen {
  readonly turns: number;
  readonly withStep: number;
  readonly torn: readonly number[];
}

const ENOUGH_READS = 1_000;
const LIMIT_MS = 20_000;

/** What a move writes: every field says the same number. */
const replyOf = (n: number): string => `${n}.${'r'.repeat(n % 300)}`;
const jobOf = (n: number): string => `${String(n).padStart(8, '0')}-0000-7000-8000-000000000000`;
const stepOf = (n: number): BegunStep => ({
  ...{ run: n, head: 0, idx: 0, startedAt: n, timeoutMs: n, unrecorded: n % 2 === 0 },
  label: stepLabel(String(n), 'h'.repeat(n % 90)),
});

type Move = 'take' | 'begin' | 'end' | 'give';

/** Makes moves over and over while another thread reads. @returns what that saw */
async function race(moves: readonly Move[], locked: boolean): Promise<Seen> {
  const slots = new TurnSlots(3);
  const signal = new Int32Array(new SharedArrayBuffer(12));
  const workerData = { slots: slots.buffer, stop: signal.buffer, locked };
  const reader = new Worker(join(__dirname, 'turn-slots-reader.cjs'), { workerData });
  const seen = new Promise<Seen>((resolve, reject) => {
    reader.once('message', resolve);
    reader.once('error', reject);
  });
  const held: { slot: number; n: number }[] = [];
  const endAtMs = performance.now() + LIMIT_MS;
  // The negative control goes on until it has seen what must not be; else both sides have had their chance by then.
  const goesOn = (): boolean => (locked ? Number(signal[2]) < ENOUGH_READS : signal[1] === 0);
  for (let n = 1; performance.now() < endAtMs && goesOn(); n = (n % 1_000_000) + 1) {
    const move = moves[n % moves.length];
    const [first] = held;
    if (move === 'take' || !first) {
      const slot = slots.take(replyOf(n), n, jobOf(n), n);
      if (slot >= 0) held.push({ slot, n });
    } else if (move === 'begin') slots.began(first.slot, stepOf(first.n), first.n);
    else if (move === 'end') slots.ended(first.slot);
    else slots.give(held.shift()?.slot ?? -1);
    if (n % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  signal[0] = 1;
  const result = await seen;
  await reader.terminate();
  return result;
}

it('shows a racing thread each turn whole, whatever the order in which slots are written', async () => {
  const some = fc.array(fc.constantFrom<Move>('take', 'begin', 'end', 'give'), { minLength: 2, maxLength: 12 });
  const writesAll = some.map((moves): Move[] => ['take', ...moves, 'begin', 'give']);
  await fc.assert(
    fc.asyncProperty(writesAll, async (moves) => {
      const { torn, turns } = await race(moves, true);
      expect(torn).toEqual([]);
      expect(turns).toBeGreaterThanOrEqual(ENOUGH_READS);
    }),
    { numRuns: 10 },
  );
}, 240_000);

it('shows torn turns to a reader that does not look twice (the negative control)', async () => {
  const { torn } = await race(['take', 'begin', 'begin', 'give'], false);
  expect(torn.length).toBeGreaterThan(0);
}, 60_000);
