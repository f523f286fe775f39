import { until } from '../../support/poll';
import type { FaultStage } from '../fault-stage';
import {
  countCompleted,
  countRunning,
  judge,
  SPOTLESS,
  STEADY_TIMES,
  submitMany,
  untilCompleted,
  untilStreamEmpty,
  type Verdict,
} from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  readonly verdict: Verdict;
  readonly stuck: number;
  /** Attempts that are said to have crashed, of workers that nobody killed. */
  readonly blamed: number;
  /** Handlers called more often than once a step. */
  readonly begunAgain: number;
  readonly slotsKilled: number;
}

const SLOTS = 50;

/** Row 1. */
export const workersKilled: Scenario<Findings> = {
  row: 1,
  title: 'workers are killed again and again during thousands of jobs',
  stack: () => ({ workers: 2, services: ['gateway', 'scheduler'], env: STEADY_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const jobs = isControl ? 600 : 1_500 * size;
    const kills = isControl ? 1 : 2 * size;
    const accepted: string[] = [];
    const killed: number[] = [];
    let interrupted = 0;
    for (let kill = 1; kill <= kills; kill += 1) {
      const wave = await submitMany(stack, jobs / kills);
      accepted.push(...wave);
      await untilCompleted(stack, wave, random.int(0, wave.length / 2));
      const victim = random.pick(stack.workers);
      const { pid } = victim;
      const hasSteps = async (): Promise<boolean> => {
        if ((await countRunning(stack, pid)) > 0) return true;
        // They may all be done before anybody has looked.
        if ((await countCompleted(stack, accepted)) === accepted.length)
          accepted.push(...(await submitMany(stack, 200)));
        return false;
      };
      await until(hasSteps, { everyMs: 5, what: 'steps to be interrupted' });
      await victim.kill();
      killed.push(pid);
      interrupted += await countRunning(stack, pid);
      await stage.arm(victim);
    }
    if (interrupted === 0) throw new Error('the workers died while they ran nothing');
    const stuck = await stage.untilAtRest(accepted);
    if (stuck === 0) await untilStreamEmpty(stack);
    return {
      ...{ stuck, slotsKilled: kills * SLOTS },
      blamed: await crashesOfOthers(stage, accepted, killed),
      verdict: await judge(stack, accepted, 3),
      begunAgain: begunAgain(stage, accepted),
    };
  },

  check({ verdict, stuck, blamed, begunAgain: again, slotsKilled }) {
    expect(stuck).toBe(0);
    expect(verdict).toMatchObject(SPOTLESS);
    // A crash is charged to a step that a killed worker had: no more than its slots, none of anybody else.
    expect(blamed).toBe(0);
    expect(verdict.crashes).toBeLessThanOrEqual(slotsKilled);
    expect(again).toBeLessThanOrEqual(slotsKilled);
  },

  controls: [
    {
      guards: ['worker.acks_after_commit', 'scheduler.sweeps'],
      outcome: 'what the killed worker had is stuck',
      red: ({ stuck, verdict }) => {
        expect(stuck).toBeGreaterThan(0);
        expect(verdict.lost).toBe(stuck);
      },
    },
  ],
};

/** Rows that a killed worker is said to run, once its last statements have come to an end. */
export async function runningOfDead(stage: FaultStage, pid: number): Promise<number> {
  let before = -1;
  return until(
    async () => {
      const now = await countRunning(stage.stack, pid);
      const isSteady = now === before;
      before = now;
      return isSteady ? now : undefined;
    },
    { everyMs: 50, what: 'the end of what a dead worker had sent' },
  );
}

async function crashesOfOthers({ stack }: FaultStage, jobs: readonly string[], killed: number[]): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM attempts JOIN unnest($1::uuid[]) AS id ON id = job_id
      WHERE outcome = 'crashed' AND NOT split_part(reverse(worker), '-', 2) = ANY (SELECT reverse(unnest($2::text[])))`,
    [jobs, killed.map(String)],
  );
  return row?.count ?? 0;
}

/** Calls of handlers for these jobs, beyond one for each step. */
export function begunAgain(stage: FaultStage, jobs: readonly string[]): number {
  const ours = new Set(jobs);
  const begins = stage.begins().filter(({ job }) => ours.has(job));
  return begins.length - new Set(begins.map(({ job, step }) => `${job}:${step}`)).size;
}
