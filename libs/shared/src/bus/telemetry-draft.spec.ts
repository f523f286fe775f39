import { telemetryBatch, type TelemetryBatch } from '#shared/contracts/telemetry';
import { StepUsage, type EndedAttempt } from '#shared/domain/usage/step-usage';
import { TelemetryDraft } from '#shared/bus/telemetry-draft';

const DONE: EndedAttempt = { outcome: 'completed', retried: null, durationMs: 12, cpuPercent: 50, memoryMb: 80 };
const AT = Date.UTC(2030, 0, 31, 12, 0, 59, 999) * 1_000;

let last = 0;
const nextId = (): string => `id.${(last += 1)}`;

/** As the metrics service reads them: the contract has to allow all that is sent. */
const encoded = (draft: TelemetryDraft, maxBytes = 1_000_000): TelemetryBatch[] =>
  draft.encode('here', maxBytes, nextId).map(({ payload }) => telemetryBatch.parse(JSON.parse(payload)));

it('counts attempts by the minute in which they ended, by pipeline and step, with all that is known of them', () => {
  const draft = new TelemetryDraft();
  draft.observe('p', 'a', AT, DONE);
  draft.observe('p', 'a', AT - 59_000_000, { ...DONE, outcome: 'failed', retried: 'timeout', durationMs: 4 });
  draft.observe('p', 'a', AT + 1_000, {
    ...DONE,
    outcome: 'crashed',
    durationMs: null,
    cpuPercent: null,
    memoryMb: null,
  });
  draft.observe('p', 'b', AT, DONE);
  draft.observe('q', 'a', AT, DONE);
  const [batch, ...more] = encoded(draft);
  expect(more).toEqual([]);
  expect(batch?.steps.map(({ minute, pipeline, step }) => [minute, pipeline, step])).toEqual([
    ['2030-01-31T12:00:00.000Z', 'p', 'a'],
    ['2030-01-31T12:00:00.000Z', 'p', 'b'],
    ['2030-01-31T12:00:00.000Z', 'q', 'a'],
    ['2030-01-31T12:01:00.000Z', 'p', 'a'],
  ]);
  expect(batch?.steps[0]?.usage).toMatchObject({
    outcomes: { completed: 1, failed: 1 },
    retries: { timeout: 1 },
    duration_ms: { count: 2, sum: 16, min: 4, max: 12 },
  });
  expect(batch?.steps[3]?.usage).toMatchObject({ outcomes: { crashed: 1 }, duration_ms: { count: 0, min: null } });
  expect(batch).not.toHaveProperty('lateness_seconds');
});

it('makes several batches, with an id each, of what does not fit into one, and loses nothing', () => {
  const draft = new TelemetryDraft();
  for (let step = 0; step < 300; step += 1) draft.observe('pipeline', `step é ${step}`, AT, DONE);
  draft.observeLateness(0.25);
  const parts = draft.encode('here', 10_000, nextId);
  expect(parts.length).toBeGreaterThan(3);
  expect(Math.max(...parts.map(({ payload }) => Buffer.byteLength(payload)))).toBeLessThanOrEqual(10_000);
  expect(new Set(parts.map(({ id }) => id)).size).toBe(parts.length);
  const batches = parts.map(({ payload }) => telemetryBatch.parse(JSON.parse(payload)));
  expect(batches.map(({ id }) => id)).toEqual(parts.map(({ id }) => id));
  const all = batches.flatMap(({ steps }) => steps);
  expect(new Set(all.map(({ step }) => step)).size).toBe(300);
  expect(all.reduce((sum, { usage }) => sum + StepUsage.from(usage).attempts, 0)).toBe(300);
  expect(batches.map((batch) => batch.lateness_seconds?.count)).toEqual([1, ...parts.slice(1).map(() => undefined)]);
});

it('sends lateness alone where there is nothing else', () => {
  const draft = new TelemetryDraft();
  expect(draft.isEmpty).toBe(true);
  expect(encoded(draft)).toEqual([]);
  draft.observeLateness(1.5);
  expect(draft.isEmpty).toBe(false);
  expect(encoded(draft)).toMatchObject([{ sender: 'here', steps: [], lateness_seconds: { count: 1, sum: 1.5 } }]);
});

it('takes no more groups than a batch may have, and says what it had to drop', () => {
  const draft = new TelemetryDraft(20);
  for (let step = 0; step < 27; step += 1) draft.observe('p', String(step), AT, DONE);
  draft.observe('p', '0', AT, DONE);
  expect(draft.dropped).toBe(7);
  const [batch] = encoded(draft);
  expect(batch?.steps).toHaveLength(20);
});
