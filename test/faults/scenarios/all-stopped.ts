import { until } from '../../support/poll';
import { countIn, forgetHeld, type HeldVerdict, judgeHeld } from '../held-jobs';
import { HELD_TIMES, judge, SPOTLESS, submitMany, untilAllEnded, untilStreamEmpty, type Verdict } from '../oracle';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';

interface Findings extends HeldVerdict {
  readonly verdict: Verdict;
  /** Jobs whose time came while nothing ran. */
  readonly missed: number;
  /** From the moment when a scheduler and the workers were ready until the last of these had begun. */
  readonly afterReadyMs: number;
  /** How long after their time, and after that moment, the others began at most. */
  readonly latenessMs: number;
  /** Of the jobs of another day, those that are still held. */
  readonly held: number;
}

const MISSED = 200;
const LATER = 30;
const FAR = 5;

/** Row 5, for all services and servers at once. */
export const allStopped: Scenario<Findings> = {
  row: 5,
  title: 'everything is stopped, and started again after the time of jobs that were held',
  stack: () => ({ workers: 2, ownPostgres: true, env: HELD_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    let afterReadyMs = 0;
    let latenessMs = 0;
    const due: string[] = [];
    const far: string[] = [];
    const submit = (count: number, countdown: () => number): Promise<string[]> =>
      submitMany(stack, count, () => ({ pipeline: 'fresh', countdown: countdown() }));
    for (let round = 0; round < (isControl ? 1 : size); round += 1) {
      const missed = await submit(MISSED, () => 2 + random.int(0, 800) / 1_000);
      const later = await submit(LATER, () => 6);
      far.push(...(await submit(FAR, () => 86_400)));
      const lastDueMs = await lastDueOf(stage, missed);
      await stopAll(stage, random.int(0, 1) === 0);
      await until(() => Date.now() > lastDueMs, { what: 'their time' });
      const readyAtMs = await startAll(stage);
      if (!stage.isControl && (await begunBefore(stage, missed, lastDueMs)) > 0) {
        throw new Error('something ran while nothing was to run');
      }
      await untilAllEnded(stack, missed);
      await until(async () => (await countIn(stack, later, 'completed')) === LATER, { deadlineMs: 30_000 });
      await untilStreamEmpty(stack);
      afterReadyMs = Math.max(afterReadyMs, lastBegin(stage, missed) - readyAtMs);
      const laterFromMs = Math.max(readyAtMs, await lastDueOf(stage, later));
      latenessMs = Math.max(latenessMs, lastBegin(stage, later) - laterFromMs);
      due.push(...missed, ...later);
    }
    const found = {
      ...{ missed: due.length, afterReadyMs, latenessMs, held: await countIn(stack, far, 'scheduled') },
      verdict: await judge(stack, due, 2),
      ...(await judgeHeld(stage, [...due, ...far])),
    };
    await forgetHeld(stack, far);
    return found;
  },

  check({ verdict, early, begunAgain, held, afterReadyMs, latenessMs }, { size }) {
    expect({ early, begunAgain, held }).toEqual({ early: 0, begunAgain: 0, held: FAR * size });
    expect(verdict).toMatchObject(SPOTLESS);
    expect(afterReadyMs).toBeLessThan(4_000);
    expect(latenessMs).toBeLessThan(4_000);
  },

  controls: [
    {
      guards: ['scheduler.waits_for_due'],
      outcome: 'jobs of another day begin with those whose time has come',
      red: ({ held, early }) => {
        expect(held).toBe(0);
        expect(early).toBeGreaterThan(0);
      },
    },
  ],
};

/** Services by SIGKILL or as an operator stops them, then the servers. */
async function stopAll({ stack }: FaultStage, isCrash: boolean): Promise<void> {
  const services = [stack.gateway, stack.scheduler, ...stack.moreSchedulers, ...stack.workers];
  await Promise.all(services.map((service) => (isCrash ? service.kill() : service.stop())));
  await Promise.all([stack.nats.kill(), stack.postgres.stopImmediately()]);
}

/** @returns when the schedulers and the workers were ready */
async function startAll(stage: FaultStage): Promise<number> {
  const { stack } = stage;
  await Promise.all([stack.nats.start(), stack.postgres.start()]);
  const movers = [stack.scheduler, ...stack.moreSchedulers, ...stack.workers];
  await Promise.all([stack.gateway, ...movers].map((service) => stage.startAgain(service)));
  await Promise.all(movers.map((service) => service.untilReady()));
  const readyAtMs = Date.now();
  await stack.gateway.untilReady();
  return readyAtMs;
}

async function lastDueOf({ stack }: FaultStage, jobs: readonly string[]): Promise<number> {
  const [row] = await stack.query<{ ms: number }>(
    'SELECT extract(epoch FROM max(eta))::float8 * 1000 AS ms FROM jobs WHERE id = ANY ($1::uuid[])',
    [jobs],
  );
  return row?.ms ?? Infinity;
}

function beginsOf(stage: FaultStage, jobs: readonly string[]): number[] {
  const ours = new Set(jobs);
  return stage
    .begins()
    .filter(({ job, step }) => step === 0 && ours.has(job))
    .map(({ atMs }) => atMs);
}

const begunBefore = async (stage: FaultStage, jobs: readonly string[], ms: number): Promise<number> =>
  beginsOf(stage, jobs).filter((atMs) => atMs < ms).length;

const lastBegin = (stage: FaultStage, jobs: readonly string[]): number => Math.max(...beginsOf(stage, jobs));
