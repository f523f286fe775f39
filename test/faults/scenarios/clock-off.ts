import type { TestService } from '../../support/test-service';
import { until } from '../../support/poll';
import type { Begin, ClockShift, FaultStage } from '../fault-stage';
import { EventTimes } from '../event-times';
import { forgetHeld } from '../held-jobs';
import { databaseMs, wrongEtas, wrongTimes, wrongWaits } from '../recorded-times';
import { HELD_TIMES, submitMany, untilStreamEmpty } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  /** Jobs that have not ended in time. */
  readonly stuck: number;
  /** Jobs of half an hour later that were handed out, or began. */
  readonly farStarted: number;
  /** What came before its time, by name. */
  readonly early: readonly string[];
  /** Recorded and told times that are not the database's, by name. */
  readonly wrong: readonly string[];
  /** Jobs whose eta is not what was asked for. */
  readonly wrongEtas: number;
  /** How jobs ended that should have ended otherwise, or attempts. */
  readonly wrongEnds: readonly string[];
}

const HOUR_S = 3_600;
const FAR_S = 1_800;
const SOON_S = 1.5;
const END_LIMIT_MS = 20_000;

type Kind = 'gateway' | 'scheduler' | 'step-worker';
type Off = Partial<Record<Kind, 1 | -1>>;

/** Some ahead, some behind, then the other way round. The first is the short form. */
const TOGETHER: readonly Off[] = [
  { gateway: -1, scheduler: 1, 'step-worker': -1 },
  { gateway: 1, scheduler: -1, 'step-worker': 1 },
];
/** Each alone. */
const ALONE: readonly Off[] = (['gateway', 'scheduler', 'step-worker'] as const).flatMap((kind) => [
  { [kind]: 1 },
  { [kind]: -1 },
]);

/** Row 17. */
export const clockOff: Scenario<Findings> = {
  row: 17,
  title: 'the clock of a service is an hour off',
  stack: () => ({ workers: 2, ownPostgres: true, env: HELD_TIMES }),

  async provoke(stage, { size }) {
    const rounds = size > 1 ? [...TOGETHER, ...ALONE] : TOGETHER.slice(0, 1);
    const all: Findings[] = [];
    for (const off of rounds) all.push(await goThrough(stage, off));
    await stage.prepare();
    return {
      stuck: all.reduce((sum, { stuck }) => sum + stuck, 0),
      farStarted: all.reduce((sum, { farStarted }) => sum + farStarted, 0),
      wrongEtas: all.reduce((sum, found) => sum + found.wrongEtas, 0),
      early: all.flatMap(({ early }) => early),
      wrong: all.flatMap(({ wrong }) => wrong),
      wrongEnds: all.flatMap(({ wrongEnds }) => wrongEnds),
    };
  },

  check(found) {
    expect(found).toEqual({ stuck: 0, farStarted: 0, wrongEtas: 0, early: [], wrong: [], wrongEnds: [] });
  },

  controls: [
    {
      guards: ['worker.database_time', 'scheduler.database_time', 'gateway.database_time'],
      outcome: 'each service that trusts its own clock gives itself away',
      red: ({ farStarted, early, wrong, wrongEtas: etas }) => {
        // The scheduler was ahead, the gateway and the workers behind.
        expect(farStarted).toBeGreaterThan(0);
        expect(early).toContain('jobs.queued_at');
        expect(etas).toBeGreaterThan(0);
        expect(wrong).toEqual(expect.arrayContaining(['steps.started_at', 'attempts.finished_at', 'logs.at']));
      },
    },
  ],
};

async function goThrough(stage: FaultStage, off: Off): Promise<Findings> {
  const { stack } = stage;
  await setClocks(stage, off);
  const events = await EventTimes.listen(stack.nats.url);
  try {
    const fromMs = await databaseMs(stack);
    const soon = new Date(fromMs + SOON_S * 1_000).toISOString();
    const far = await submitMany(stack, 4, (nth) => {
      return { pipeline: 'fresh', ...(nth % 2 === 0 ? { eta: fromMs / 1_000 + FAR_S } : { countdown: FAR_S }) };
    });
    const held = await submitMany(stack, 40, (nth) => {
      return { pipeline: 'fresh', ...(nth % 2 === 0 ? { eta: soon } : { countdown: SOON_S }) };
    });
    const past = { eta: new Date(fromMs - FAR_S * 1_000).toISOString() };
    const completing = [
      ...held,
      ...(await submitMany(stack, 20, { pipeline: 'fresh', ...past })),
      ...(await submitMany(stack, 2, { pipeline: 'retried_soon' })),
      ...(await submitMany(stack, 2, { pipeline: 'retried_later' })),
      // It takes nearly as long as a lease.
      ...(await submitMany(stack, 2, { pipeline: 'long' })),
    ];
    const refused = await submitMany(stack, 2, { pipeline: 'refused' });
    const cancelled = await submitMany(stack, 2, { pipeline: 'long' });
    await cancelRunning(stage, cancelled);
    const ending = [...completing, ...refused, ...cancelled];
    const stuck = await countStuck(stage, ending);
    const toMs = await databaseMs(stack);
    if (stuck === 0) await untilStreamEmpty(stack);
    const jobs = [...ending, ...far];
    const times = await wrongTimes(stack, jobs, fromMs, toMs);
    const found: Findings = {
      stuck,
      farStarted: await countStarted(stage, far),
      early: await wrongWaits(stack, jobs, beginsOf(stage, off)),
      wrong: [...times, ...events.wrong(new Set(jobs), fromMs, toMs)],
      wrongEtas:
        (await wrongEtas(stack, far, fromMs + FAR_S * 1_000)) + (await wrongEtas(stack, held, fromMs + SOON_S * 1_000)),
      wrongEnds: await wrongEnds(stage, { completed: completing, failed: refused, cancelled }),
    };
    await forgetHeld(stack, far);
    return found;
  } finally {
    await events.stop();
  }
}

/** @throws when a service's clock is not off as it was told: no fault, no test */
async function setClocks(stage: FaultStage, off: Off): Promise<void> {
  const { stack } = stage;
  const services: [Kind, TestService][] = [
    ['gateway', stack.gateway],
    ...[stack.scheduler, ...stack.moreSchedulers].map((each): [Kind, TestService] => ['scheduler', each]),
    ...stack.workers.map((each): [Kind, TestService] => ['step-worker', each]),
  ];
  await Promise.all(
    services.map(async ([kind, service]) => {
      const sign = off[kind];
      if (sign === undefined) return stage.arm(service);
      const shift: ClockShift = `clock=${sign > 0 ? '+' : '-'}${HOUR_S}s`;
      await stage.arm(service, shift);
      const aheadMs = stage.clockOf(service) - Date.now();
      if (Math.abs(aheadMs - sign * HOUR_S * 1_000) > 60_000) {
        throw new Error(`the clock of ${service.name} is off by ${aheadMs} ms`);
      }
    }),
  );
}

/** When handlers were called, by the right clock. */
function beginsOf(stage: FaultStage, off: Off): Begin[] {
  const aheadMs = (off['step-worker'] ?? 0) * HOUR_S * 1_000;
  return stage.begins().map((begin) => ({ ...begin, atMs: begin.atMs - aheadMs }));
}

async function cancelRunning({ stack }: FaultStage, jobs: readonly string[]): Promise<void> {
  for (const job of jobs) {
    const runs = async (): Promise<boolean> =>
      (await stack.query(`SELECT FROM steps WHERE job_id = $1 AND status = 'running'`, [job])).length > 0;
    await until(runs, { deadlineMs: 20_000, what: 'a step to be cancelled' });
    const { status } = await fetch(`${stack.url}/v1/ingest/${job}/cancel`, { method: 'POST' });
    if (status !== 202) throw new Error(`cancel answered ${status}`);
  }
}

/** How many of the jobs have not ended within the limit. */
async function countStuck({ stack }: FaultStage, jobs: readonly string[]): Promise<number> {
  const left = async (): Promise<number> => {
    const [row] = await stack.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM jobs
        WHERE id = ANY ($1::uuid[]) AND status NOT IN ('completed', 'failed', 'cancelled')`,
      [jobs],
    );
    return row?.count ?? -1;
  };
  const ended = until(async () => (await left()) === 0, { deadlineMs: END_LIMIT_MS, everyMs: 50 });
  return ended.then(() => 0, left);
}

async function countStarted({ stack }: FaultStage, jobs: readonly string[]): Promise<number> {
  const rows = await stack.query(`SELECT FROM jobs WHERE id = ANY ($1::uuid[]) AND status <> 'scheduled'`, [jobs]);
  return rows.length;
}

async function wrongEnds({ stack }: FaultStage, ends: Record<string, readonly string[]>): Promise<string[]> {
  const found: string[] = [];
  for (const [wanted, jobs] of Object.entries(ends)) {
    const rows = await stack.query<{ name: string }>(
      `SELECT pipeline || ': ' || status AS name FROM jobs WHERE id = ANY ($1::uuid[]) AND status <> $2
       UNION ALL
       SELECT pipeline || ', attempt ' || number || ': ' || outcome FROM attempts JOIN jobs ON jobs.id = job_id
        WHERE job_id = ANY ($1::uuid[]) AND (outcome IN ('crashed', 'timeout') OR number > 2)`,
      [jobs, wanted],
    );
    found.push(...rows.map(({ name }) => name));
  }
  return found;
}
