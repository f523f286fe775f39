import { StepUsage } from '#shared/domain/usage/step-usage';
import { telemetryBatch } from './telemetry';

const usage = new StepUsage();
usage.observe({ outcome: 'completed', retried: null, durationMs: 12, cpuPercent: 0, memoryMb: 5 });
usage.observe({ outcome: 'failed', retried: 'transient', durationMs: 7, cpuPercent: 3, memoryMb: 5 });
usage.observe({ outcome: 'crashed', retried: null, durationMs: null, cpuPercent: null, memoryMb: null });
const said = usage.toJSON();

const isTaken = (changes: object): boolean =>
  telemetryBatch.safeParse({
    id: '1',
    sender: 's',
    steps: [{ minute: '2030-01-31T12:00:00.000Z', pipeline: 'p', step: 's', usage: { ...said, ...changes } }],
  }).success;

it('takes what a sender counts', () => expect(isTaken({})).toBe(true));

it.each([
  ['figures of more attempts than there were', { outcomes: { completed: 1 } }],
  ['figures without attempts', { outcomes: {} }],
  ['more retries than attempts', { retries: { transient: 4 } }],
  ['buckets that hold another number', { duration_ms: { ...said.duration_ms, count: 1 } }],
  ['a bucket that there is not', { duration_ms: { count: 1, sum: 1, min: 1, max: 1, buckets: { 999: 1 } } }],
  ['a figure below 0', { memory_mb: { ...said.memory_mb, min: -1 } }],
  ['least above most', { memory_mb: { ...said.memory_mb, min: 9 } }],
  ['values without least and most', { memory_mb: { ...said.memory_mb, min: null, max: null } }],
])('takes no %s', (_, changes) => expect(isTaken(changes)).toBe(false));
