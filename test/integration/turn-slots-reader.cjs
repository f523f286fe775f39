// A thread that reads turn slots as fast as it can while the test writes them, and tells what it saw.
const { parentPort, workerData } = require('node:worker_threads');
const { TurnSlotReader } = require('../../dist/apps/step-worker/src/keeper/turn-slots.js');

const { slots, stop, locked } = workerData;

if (!locked) {
  // The negative control: the second look at a slot's number gives what the first gave, whatever was written since.
  const { load } = Atomics;
  let last = 0;
  Atomics.load = (words, index) => (last = load(words, index));
  Atomics.add = () => last;
}

/** Every field of a turn is made from one number: see `fieldsOf` in turn-slots-race.spec.ts. */
function isWhole({ reply, store, jobId, takenAtMs, step }) {
  const made = [Number(reply.split('.')[0]), Number(jobId.slice(0, 8)), takenAtMs];
  const filler = 'r'.repeat(store % 300);
  const ofStep = step ? [step.run, step.startedAt, step.startedAtMs, step.timeoutMs, Number(step.name)] : [];
  const labelFits = !step || step.handler === 'h'.repeat(store % 90);
  return labelFits && reply === `${store}.${filler}` && [...made, ...ofStep].every((number) => number === store);
}

const reader = new TurnSlotReader(slots);
const signal = new Int32Array(stop);
const seen = { turns: 0, withStep: 0, torn: [] };
while (signal[0] === 0) {
  for (const turn of reader.turns()) {
    seen.turns += 1;
    if (turn.step) seen.withStep += 1;
    if (!isWhole(turn)) seen.torn.push(turn.store);
  }
  if (seen.torn.length > 0) signal[1] = 1;
  signal[2] = Math.min(seen.turns, 2 ** 30);
}
parentPort.postMessage(seen);
