import { connect, type NatsConnection } from 'nats';
import { WebSocket } from 'ws';
import { workSubject } from '#shared/contracts/subjects';
import { PRIORITIES } from '#shared/domain/status';
import type { Random } from '../../support/random';
import { until } from '../../support/poll';
import { judge, messagesLeft, SPOTLESS, STEADY_TIMES, submitMany, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  readonly verdict: Verdict;
  readonly ended: readonly string[];
  /** Messages on work subjects that are no turns. */
  readonly garbage: number;
  /** As many the workers say they have terminated. */
  readonly counted: number;
  readonly left: number;
}

const QUEUE = 'default';
/** Subjects of core NATS, on which services listen. */
const SIGNALS = [
  'sluice.wake.scheduler',
  'sluice.cancel',
  'sluice.request.resource_status',
  'sluice.request.nothing',
  'sluice.events.00000000-0000-7000-8000-000000000000',
  'sluice.events.x',
];

/** Row 14. */
export const garbage: Scenario<Findings> = {
  row: 14,
  title: 'thousands of garbage messages on every subject',
  stack: () => ({ workers: 2, services: ['gateway', 'scheduler', 'metrics'], env: STEADY_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack } = stage;
    const services = [stack.gateway, stack.scheduler, stack.metrics, ...stack.workers];
    const ended = stage.watchLives();
    const before = services.reduce((sum, { lines }) => sum + terminated(lines), 0);
    const socket = new WebSocket(`${stack.url.replace('http', 'ws')}/v1/ingest/ws`);
    socket.on('error', () => undefined);
    await until(() => socket.readyState === WebSocket.OPEN, { what: 'a socket that gets all events' });
    socket.send('{"action":"subscribe","all":true}');
    const bus = await connect({ servers: stack.nats.url });
    const accepted: string[] = [];
    let sent = 0;
    try {
      for (let round = 0; round < 2 * size; round += 1) {
        accepted.push(...(await submitMany(stack, 100)));
        sent += sendGarbage(bus, random, 150);
        await bus.flush();
      }
    } finally {
      await bus.close();
    }
    const count = (): number => services.reduce((sum, { lines }) => sum + terminated(lines), 0) - before;
    await until(async () => (count() >= sent && (await messagesLeft(stack)) === 0) || count() > 2 * sent, {
      deadlineMs: 30_000,
      what: 'the end of the garbage',
    });
    const left = await messagesLeft(stack);
    if (left === 0) await stage.untilAtRest(accepted);
    socket.close();
    return {
      ...{ garbage: sent, counted: count(), left },
      ended: await ended(),
      verdict: await judge(stack, accepted, 3),
    };
  },

  check({ verdict, ended, garbage: sent, counted, left }) {
    expect(ended).toEqual([]);
    expect(counted).toBe(sent);
    expect(left).toBe(0);
    expect(verdict).toEqual({ ...SPOTLESS, crashes: 0 });
  },

  controls: [
    {
      guards: ['worker.terminates_garbage'],
      outcome: 'it goes round and round',
      red: ({ garbage: sent, counted, left }) => {
        expect(counted).toBeGreaterThan(2 * sent);
        expect(left).toBeGreaterThan(0);
      },
    },
  ],
};

/** Lines that say that a worker has met what is no turn: each is one delivery. */
const terminated = (lines: readonly string[]): number =>
  lines.filter((line) => line.includes('not a turn: terminated')).length;

/** @returns how many of them the work stream has taken */
function sendGarbage(bus: NatsConnection, random: Random, each: number): number {
  let sent = 0;
  for (let count = 0; count < each; count += 1) {
    for (const priority of PRIORITIES) {
      bus.publish(workSubject(QUEUE, priority), junkFor(random));
      sent += 1;
    }
    for (const subject of SIGNALS)
      bus.publish(subject, junkFor(random), random.int(0, 3) === 0 ? { reply: 'no.one' } : {});
  }
  return sent;
}

/** Nothing of it is a turn: not JSON, not an object, or with a field that can not be. */
function junkFor(random: Random): Uint8Array {
  const turn = {
    ...{ job_id: '01890000-0000-7000-8000-000000000000', run: 1, head: 0, at: 1, read: false, pipeline_hash: 'x' },
  };
  const broken: object[] = [
    { ...turn, job_id: 7 },
    { ...turn, job_id: "'; DROP TABLE jobs; --" },
    { ...turn, run: 0 },
    { ...turn, head: 63 },
    { ...turn, head: -1 },
    { ...turn, at: null },
    { ...turn, at: 'now' },
    { ...turn, read: 'yes' },
    { ...turn, data: [] },
    { ...turn, data: { input: 'text' } },
    { pipeline_hash: 'x' },
  ];
  const texts = ['', '{', 'null', '[]', '"turn"', '0', '{"__proto__":{"job_id":"x"}}', `{"a":${'['.repeat(5_000)}`];
  if (random.int(0, 9) === 0) return Uint8Array.from({ length: random.int(1, 400) }, () => random.int(0, 255));
  const text = random.int(0, 1) === 0 ? random.pick(texts) : JSON.stringify(random.pick(broken));
  return Buffer.from(text);
}
