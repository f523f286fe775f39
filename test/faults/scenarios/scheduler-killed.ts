import { until } from '../../support/poll';
import { countIn, type HeldVerdict, judgeHeld } from '../held-jobs';
import { HELD_TIMES, judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings extends HeldVerdict {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** Jobs that a scheduler had released when it died, and not published. */
  readonly unpublished: number;
}

const SPREAD_MS = 2_000;

/** Row 5. */
export const schedulerKilled: Scenario<Findings> = {
  row: 5,
  title: 'the scheduler is killed again and again during thousands of delayed jobs',
  stack: () => ({ workers: 2, ownPostgres: true, env: HELD_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const { scheduler } = stack;
    const kills = isControl ? 1 : 2 * size;
    const jobs: string[] = [];
    let unpublished = 0;
    for (let kill = 0; kill < kills; kill += 1) {
      const atRelease = kill % 2 === 0;
      const died = atRelease
        ? await stage.armToDie(scheduler, 'scheduler.released', isControl ? 1 : random.int(1, 5))
        : undefined;
      const wave = await submitMany(stack, isControl ? 150 : 500, () => {
        return { pipeline: 'fresh', countdown: random.int(0, SPREAD_MS) / 1_000 };
      });
      jobs.push(...wave);
      if (died) {
        await died();
        // What was published before comes to its end; nobody is there to send the others.
        unpublished += await stage.untilQuiet(wave);
      } else {
        const released = random.int(1, wave.length - 1);
        const enough = async (): Promise<boolean> =>
          (await countIn(stack, wave, 'scheduled')) <= wave.length - released;
        await until(enough, { everyMs: 5, what: 'jobs to be released' });
        await scheduler.kill();
      }
      await stage.arm(scheduler);
    }
    if (unpublished === 0) throw new Error('the scheduler died with nothing unpublished');
    const stuck = await stage.untilAtRest(jobs);
    if (stuck === 0) await untilStreamEmpty(stack);
    return { stuck, unpublished, verdict: await judge(stack, jobs, 2), ...(await judgeHeld(stage, jobs)) };
  },

  check({ verdict, stuck, early, begunAgain }) {
    expect({ stuck, early, begunAgain }).toEqual({ stuck: 0, early: 0, begunAgain: 0 });
    expect(verdict).toMatchObject(SPOTLESS);
    expect(verdict.crashes).toBe(0);
  },

  controls: [
    {
      guards: ['scheduler.sweeps'],
      outcome: 'what a killed scheduler had released is stuck',
      red: ({ stuck, unpublished, verdict }) => {
        expect(stuck).toBe(unpublished);
        expect(verdict.lost).toBe(stuck);
      },
    },
    {
      guards: ['scheduler.waits_for_due'],
      outcome: 'jobs come before their time',
      red: ({ early, stuck }) => {
        expect(early).toBeGreaterThan(0);
        expect(stuck).toBe(0);
      },
    },
  ],
};
