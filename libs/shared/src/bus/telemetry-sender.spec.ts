import type { PublishOutcome } from '#shared/bus/publisher';
import { TelemetrySender } from '#shared/bus/telemetry-sender';
import { telemetryBatch, type TelemetryBatch } from '#shared/contracts/telemetry';
import { StepUsage, type EndedAttempt } from '#shared/domain/usage/step-usage';

const DONE: EndedAttempt = { outcome: 'completed', retried: null, durationMs: 12, cpuPercent: 50, memoryMb: 80 };
const STORED: PublishOutcome = { kind: 'stored', seq: 1, duplicate: false };
const IN_DOUBT: PublishOutcome = { kind: 'in_doubt' };
const refused = (reason: string): PublishOutcome => ({ kind: 'refused', reason });

interface Sent {
  readonly subject: string;
  readonly batch: TelemetryBatch;
  readonly msgId: string;
  readonly answer: (outcome: PublishOutcome) => void;
}

/** A sender whose publishes are answered by the test; at once by `next`, where it is set. */
function stage({ enabled = true, maxGroups }: { enabled?: boolean; maxGroups?: number } = {}) {
  const sent: Sent[] = [];
  const lines: string[] = [];
  const state = { next: STORED as PublishOutcome | null };
  const bus = { isConnected: true, maxPayloadBytes: 1_048_576 };
  const publisher = {
    publish: (subject: string, payload: string | Uint8Array, msgId: string) =>
      new Promise<PublishOutcome>((resolve) => {
        const batch = telemetryBatch.parse(JSON.parse(String(payload)));
        sent.push({ subject, batch, msgId, answer: resolve });
        if (state.next) resolve(state.next);
      }),
  };
  const note = (line: string): void => void lines.push(line);
  const log = { info: note, warn: note, error: note };
  const sender = new TelemetrySender({ bus, publisher, service: 'step-worker', enabled, maxGroups, log });
  sender.start();
  return { sender, sent, lines, state, bus };
}

const observe = (sender: TelemetrySender, step = 'a', count = 1): void => {
  for (let nth = 0; nth < count; nth += 1) sender.observe('p', step, 60_000_000, DONE);
};
const attemptsIn = ({ batch }: Sent): number =>
  batch.steps.reduce((sum, { usage }) => sum + StepUsage.from(usage).attempts, 0);
const second = (): Promise<void> => jest.advanceTimersByTimeAsync(1_000);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('TelemetrySender', () => {
  it('sends once a second what has ended since, under the id by which the stream tells repeats, and nothing when idle', async () => {
    const { sender, sent } = stage();
    await second();
    expect(sent).toEqual([]);
    observe(sender, 'a', 3);
    sender.observeLateness(0.5);
    await second();
    await second();
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({
      subject: 'sluice.telemetry.step-worker',
      batch: { lateness_seconds: { count: 1 } },
    });
    expect(sent[0]?.msgId).toBe(sent[0]?.batch.id);
    expect(sent[0]?.msgId).toMatch(/^[\x21-\x7e]+$/);
    observe(sender);
    await second();
    expect(sent.map(attemptsIn)).toEqual([3, 1]);
    expect(sent[1]?.msgId).not.toBe(sent[0]?.msgId);
  });

  it.each([IN_DOUBT, refused('no stream takes this subject')])(
    'sends the same again under the same id when it is %o, while what comes meanwhile gathers in the next',
    async (outcome) => {
      const { sender, sent, lines, state } = stage();
      state.next = outcome;
      observe(sender, 'a', 2);
      await second();
      observe(sender, 'a', 5);
      await second();
      observe(sender, 'b');
      state.next = STORED;
      await second();
      await second();
      expect(sent.map(attemptsIn)).toEqual([2, 2, 2, 6]);
      expect(new Set(sent.slice(0, 3).map(({ msgId }) => msgId)).size).toBe(1);
      expect(sent[3]?.msgId).not.toBe(sent[0]?.msgId);
      expect(lines).toEqual([expect.stringContaining('is not taken'), 'telemetry is taken again']);
    },
  );

  it('has one publish under way, however long it takes', async () => {
    const { sender, sent, state } = stage();
    state.next = null;
    observe(sender);
    await second();
    observe(sender, 'a', 2);
    await second();
    await second();
    expect(sent).toHaveLength(1);
    state.next = STORED;
    sent[0]?.answer(STORED);
    await second();
    expect(sent.map(attemptsIn)).toEqual([1, 2]);
  });

  it('sends nothing while there is no connection, and all of it in parts that the server takes once there is one', async () => {
    const { sender, sent, bus } = stage();
    bus.isConnected = false;
    bus.maxPayloadBytes = Infinity;
    for (let step = 0; step < 200; step += 1) observe(sender, `step ${step}`);
    await second();
    expect(sent).toEqual([]);
    Object.assign(bus, { isConnected: true, maxPayloadBytes: 16_384 });
    await second();
    expect(sent.length).toBeGreaterThan(1);
    expect(new Set(sent.map(({ msgId }) => msgId)).size).toBe(sent.length);
    expect(sent.map(attemptsIn).reduce((sum, count) => sum + count)).toBe(200);
    for (const { batch } of sent) expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThan(16_384 - 512);
  });

  it('keeps no more than fits into one batch, and says how much was dropped', async () => {
    const { sender, sent, lines, bus } = stage({ maxGroups: 30 });
    bus.isConnected = false;
    for (let step = 0; step < 30; step += 1) observe(sender, String(step));
    observe(sender, 'one too many', 3);
    observe(sender, '0', 2);
    bus.isConnected = true;
    await second();
    expect(sent.map(attemptsIn).reduce((sum, count) => sum + count)).toBe(30 + 2);
    expect(lines).toEqual([expect.stringMatching(/^3 attempts found no room/)]);
  });

  it.each(['too large', 'message size exceeds maximum allowed'])(
    'does not send for ever what is %s',
    async (reason) => {
      const { sender, sent, lines, state } = stage();
      state.next = refused(reason);
      observe(sender, 'a', 4);
      await second();
      state.next = STORED;
      observe(sender);
      await second();
      expect(sent.map(attemptsIn)).toEqual([4, 1]);
      expect(lines).toEqual([expect.stringContaining('4 attempts')]);
    },
  );

  it('sends the last when it is stopped, and takes nothing more', async () => {
    const { sender, sent, lines, state } = stage();
    state.next = null;
    observe(sender);
    await second();
    observe(sender, 'a', 2);
    const stopped = sender.stop(500);
    state.next = STORED;
    sent[0]?.answer(STORED);
    await stopped;
    observe(sender);
    await second();
    await sender.stop(500);
    expect(sent.map(attemptsIn)).toEqual([1, 2]);
    expect(lines).toEqual([]);
  });

  it('stops within its limit though nobody answers, and says that something is missing', async () => {
    const { sender, lines, state } = stage();
    state.next = null;
    observe(sender);
    const stopped = sender.stop(500);
    await jest.advanceTimersByTimeAsync(500);
    await stopped;
    expect(lines).toEqual([expect.stringContaining('could not be sent')]);
  });

  it('does nothing when it is turned off', async () => {
    const { sender, sent, lines } = stage({ enabled: false });
    observe(sender);
    sender.observeLateness(1);
    await second();
    await sender.stop(500);
    expect([sent, lines]).toEqual([[], []]);
  });
});
