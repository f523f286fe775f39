// Handlers that only tests need, loaded by services that are given SLUICE_INTERNAL_HANDLERS (see test-handlers.ts).
// Each adds a line to the file in SLUICE_TEST_EFFECTS when it begins: an effect that no database takes back.
const { appendFileSync } = require('node:fs');
const { setTimeout: pause } = require('node:timers/promises');
const { z } = require('zod');

function begun({ jobId, step, attempt }) {
  const file = process.env.SLUICE_TEST_EFFECTS;
  if (file) appendFileSync(file, `${JSON.stringify({ jobId, step, attempt, pid: process.pid })}\n`);
}

/** Holds up the event loop, as a handler that computes does, without taking a core from the other tests. */
function block(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Uses so much CPU time with so much memory, then says what the system counted of its process. */
function burn({ cpu_ms: cpuMs, hold_mb: holdMb }) {
  const usedMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  const beforeMs = usedMs();
  const held = Buffer.alloc(holdMb * 1_048_576, 1);
  while (usedMs() - beforeMs < cpuMs) for (let i = 0; i < 1e6; i += 1);
  const memoryMb = process.memoryUsage.rss() / 1_048_576;
  return { own_cpu_ms: usedMs() - beforeMs, process_cpu_ms: usedMs(), memory_mb: memoryMb, held: held.length };
}

const handler = (name, options, run) => ({
  definition: { name, description: 'For tests.', options: z.strictObject(options), jobOptions: [], repeatable: false },
  async run(context) {
    begun(context);
    return run(context);
  },
});

exports.handlers = [
  handler('test_effect', {}, () => ({})),
  handler('test_wait', { wait_ms: z.int().min(0) }, async ({ options }) => void (await pause(options.wait_ms))),
  handler('test_burn', { cpu_ms: z.int(), hold_mb: z.int() }, ({ options }) => burn(options)),
  handler('test_block', { block_ms: z.int().min(0) }, ({ options }) => block(options.block_ms)),
];
