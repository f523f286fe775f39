import { until } from '../../support/poll';
import { judge, SPOTLESS, submitMany, untilStreamEmpty, type Verdict } from '../oracle';
import type { FaultStage } from '../fault-stage';
import type { Scenario } from '../scenario';

interface Findings {
  readonly unread: Verdict;
  readonly claimed: Verdict;
  /** Begins of a step under an epoch that was granted before the freeze, after it. */
  readonly lateBegins: number;
  /** Effects that are recorded of the frozen worker, though the step was another one's by then, by pipeline. */
  readonly staleWrites: Readonly<Record<'slow' | 'slow_claimed', number>>;
  /** Steps that somebody else had begun before the frozen worker went on. */
  readonly takenOver: number;
  readonly stuck: number;
}

/** Row 6, for workers: frozen for longer than its lease at the worst moments, then let go. */
export const workerFrozen: Scenario<Findings> = {
  row: 6,
  title: 'a worker is frozen for longer than its lease and goes on',
  stack: () => ({ workers: 2 }),

  async provoke(stage, { size }) {
    const { stack } = stage;
    const [frozen, other] = stack.workers;
    if (!frozen || !other) throw new Error('there are too few workers');
    const jobs: Record<'slow' | 'slow_claimed', string[]> = { slow: [], slow_claimed: [] };
    let takenOver = 0;
    let lateBegins = 0;
    const staleWrites = { slow: 0, slow_claimed: 0 };
    const cases = [
      ['worker.attempt_ended', 'slow'],
      ['worker.attempt_ended', 'slow_claimed'],
      ['worker.claimed', 'slow_claimed'],
    ] as const;
    for (let round = 0; round < size; round += 1) {
      for (const [point, pipeline] of cases) {
        const count = stage.fired(frozen, point).length + 1;
        await stage.arm(frozen, `${point}=stop@1`);
        // Alone with it, so that the frozen one has it.
        other.signal('SIGSTOP');
        const [job = ''] = await submitMany(stack, 1, { pipeline });
        jobs[pipeline].push(job);
        const { epoch = 1 } = await stage.untilFired(frozen, point, { count });
        other.signal('SIGCONT');
        const hasBegun = (): boolean => stage.begins(other).some((begin) => begin.job === job);
        await until(hasBegun, { deadlineMs: 30_000, everyMs: 5, what: `${other.name} to take the step over` });
        takenOver += 1;
        const begunBefore = stage.begins(frozen).length;
        frozen.signal('SIGCONT');
        await stage.untilAtRest([job]);
        // What it does late, it does before it has ended its turn: the stream is empty then.
        await untilStreamEmpty(stack);
        staleWrites[pipeline] += await effectsBy(stage, job, frozen.pid);
        lateBegins += stage
          .begins(frozen)
          .slice(begunBefore)
          .filter((begin) => begin.job === job && begin.epoch === epoch).length;
      }
    }
    return {
      ...{ takenOver, lateBegins, staleWrites, stuck: 0 },
      unread: await judge(stack, jobs.slow, 1),
      claimed: await judge(stack, jobs.slow_claimed, 1),
    };
  },

  check({ unread, claimed, lateBegins, staleWrites, takenOver, stuck }) {
    expect(takenOver).toBeGreaterThan(0);
    expect(lateBegins).toBe(0);
    expect(staleWrites).toEqual({ slow: 0, slow_claimed: 0 });
    expect(stuck).toBe(0);
    expect(unread).toMatchObject(SPOTLESS);
    expect(claimed).toMatchObject(SPOTLESS);
  },

  controls: [
    {
      guards: ['worker.settle_is_fenced'],
      outcome: 'what it settles late counts',
      // Unread and claimed steps are settled by statements of their own.
      red: ({ staleWrites }) => {
        expect(staleWrites.slow).toBeGreaterThan(0);
        expect(staleWrites.slow_claimed).toBeGreaterThan(0);
      },
    },
    {
      guards: ['worker.lease_at_begin'],
      outcome: 'it begins a step that is another one’s by now',
      red: ({ lateBegins }) => expect(lateBegins).toBeGreaterThan(0),
    },
  ],
};

async function effectsBy({ stack }: FaultStage, job: string, pid: number): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM attempts
      WHERE job_id = $1 AND outcome = 'completed' AND worker LIKE '%-' || $2::text || '-%'`,
    [job, String(pid)],
  );
  return row?.count ?? 0;
}
