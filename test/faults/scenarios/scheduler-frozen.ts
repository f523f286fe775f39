import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/poll';
import type { TestService } from '../../support/test-service';
import type { FaultStage } from '../fault-stage';
import { countIn, type HeldVerdict, judgeHeld } from '../held-jobs';
import { HELD_TIMES, judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict, workStream } from '../oracle';
import type { FaultRun, Scenario } from '../scenario';

interface Findings extends HeldVerdict {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** Jobs that a frozen scheduler had released and not published, and that another one gave a message. */
  readonly takenOver: number;
  /** Messages for jobs that had ended by then, which it published when it went on. */
  readonly late: number;
  /** Jobs that were released a second time. */
  readonly releasedAgain: number;
}

/** Row 6, for schedulers. */
export const schedulerFrozen: Scenario<Findings> = {
  row: 6,
  title: 'a scheduler is frozen in the middle of a release, and goes on when others have taken over',
  stack: () => ({ workers: 2, ownPostgres: true, env: HELD_TIMES }),

  async provoke(stage, run) {
    const { stack, isControl } = stage;
    const jobs: string[] = [];
    const found = { takenOver: 0, late: 0, releasedAgain: 0 };
    for (let round = 0; round < (isControl ? 1 : run.size); round += 1) {
      const frozen = await frozenAfterCommit(stage);
      jobs.push(...frozen.jobs);
      found.takenOver += frozen.takenOver;
      found.late += frozen.late;
      found.releasedAgain += frozen.releasedAgain;
    }
    if (!isControl) jobs.push(...(await frozenByChance(stage, run)));
    const stuck = await stage.untilAtRest(jobs);
    await untilStreamEmpty(stack);
    return { ...found, stuck, verdict: await judge(stack, jobs, 2), ...(await judgeHeld(stage, jobs)) };
  },

  check({ verdict, stuck, early, begunAgain, takenOver, late, releasedAgain }) {
    expect(takenOver).toBeGreaterThan(0);
    expect(late).toBe(takenOver);
    expect({ stuck, early, begunAgain, releasedAgain }).toEqual({
      stuck: 0,
      early: 0,
      begunAgain: 0,
      releasedAgain: 0,
    });
    expect(verdict).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['bus.late_publishes_read'],
      outcome: 'what it publishes late begins once more',
      red: ({ begunAgain, verdict, stuck }) => {
        expect(begunAgain).toBeGreaterThan(0);
        // Even then nothing is recorded twice.
        expect(verdict).toMatchObject(SPOTLESS);
        expect(stuck).toBe(0);
      },
    },
  ],
};

const BATCH = 40;

/** It has committed a release and published nothing of it; by the time that it goes on, these jobs have ended. */
async function frozenAfterCommit(
  stage: FaultStage,
): Promise<Pick<Findings, 'takenOver' | 'late' | 'releasedAgain'> & { readonly jobs: string[] }> {
  const { stack } = stage;
  const [first, second] = await bothOf(stage);
  const count = stage.fired(first, 'scheduler.released').length + 1;
  await stage.arm(first, 'scheduler.released=stop@1');
  // Alone with them, so that the frozen one has them.
  second.signal('SIGSTOP');
  const jobs = await submitMany(stack, BATCH, { pipeline: 'fresh', countdown: 0.5 });
  await stage.untilFired(first, 'scheduler.released', { count });
  const takenOver = await countIn(stack, jobs, 'pending');
  const released = await releasesOf(stage, jobs);
  second.signal('SIGCONT');
  await stage.untilAtRest(jobs);
  const { last_seq: before } = await workStream(stack);
  first.signal('SIGCONT');
  const late = await until(async () => {
    const { last_seq: now } = await workStream(stack);
    return now >= before + takenOver && now - before;
  });
  await untilStreamEmpty(stack);
  const again = await releasesOf(stage, jobs);
  const releasedAgain = [...released].filter(([job, queuedAt]) => again.get(job) !== queuedAt).length;
  return { jobs, takenOver, late, releasedAgain };
}

const SPREAD_S = 2.5;

/** Whichever of them, whenever, for as long as a publish may take and longer, while jobs come due all the time. */
async function frozenByChance(stage: FaultStage, { size, random }: FaultRun): Promise<string[]> {
  const schedulers = await bothOf(stage);
  const jobs = await submitMany(stage.stack, 400 * size, (nth) => ({
    pipeline: 'fresh',
    countdown: (nth / 400) * SPREAD_S,
  }));
  const left = async (): Promise<number> => countIn(stage.stack, jobs, 'scheduled');
  for (let before = await left(); before > 0; before = await left()) {
    const frozen = random.pick(schedulers);
    frozen.signal('SIGSTOP');
    await pause(random.int(50, 900)); // as long as the fault lasts
    frozen.signal('SIGCONT');
    await pause(random.int(1, 100));
  }
  return jobs;
}

async function bothOf(stage: FaultStage): Promise<[TestService, TestService]> {
  const [first, second] = await stage.schedulers(2);
  if (!first || !second) throw new Error('there are too few schedulers');
  return [first, second];
}

/** When each of those that were released was. */
async function releasesOf({ stack }: FaultStage, jobs: readonly string[]): Promise<Map<string, string>> {
  const rows = await stack.query<{ id: string; queued_at: string }>(
    `SELECT id, queued_at::text FROM jobs WHERE id = ANY ($1::uuid[]) AND queued_at IS NOT NULL`,
    [jobs],
  );
  return new Map(rows.map((row) => [row.id, row.queued_at]));
}
