import { until } from '../../support/poll';
import type { TestStack } from '../../support/stack';
import type { FaultStage } from '../fault-stage';
import { type HeldVerdict, judgeHeld } from '../held-jobs';
import { changeMinds, type Wishes } from '../mind-changer';
import { HELD_TIMES, untilStreamEmpty } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings extends HeldVerdict {
  /** Answers that must not be. */
  readonly wrongAnswers: readonly string[];
  /** Jobs that began, though they were cancelled before their time or put off. */
  readonly begunAnyway: number;
  /** Jobs that did not end in exactly one way: completed with one effect, cancelled with none, or put off. */
  readonly notOneWay: number;
  /** Of those put off, the ones that could not be run, or cancelled, after all. */
  readonly lost: number;
  /** How often each wish was fulfilled, and how often none was. */
  readonly fulfilled: Readonly<Record<string, number>>;
}

const GROUP = 25;
const END_LIMIT_MS = 20_000;
/** Without the lock some never end. */
const CONTROL_LIMIT_MS = 4_000;

/** Not a fault of a machine: people, who meet the release of their job. */
export const changesOfMind: Scenario<Findings> = {
  row: 21,
  title: 'jobs are rescheduled, cancelled and run now at random around their time',
  stack: () => ({ workers: 2, ownPostgres: true, env: HELD_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const jobs = isControl ? 500 : 1_000 * size;
    const wishes = await changeMinds({ stack, random, jobs, group: GROUP });
    const ids = wishes.map(({ job }) => job);
    const fulfilled = countFulfilled(wishes);
    const limitMs = isControl ? CONTROL_LIMIT_MS : END_LIMIT_MS;
    const putOff = wishes.filter(({ isPutOff }) => isPutOff).map(({ job }) => job);
    const others = ids.filter((id) => !putOff.includes(id));
    const stuck = await countLeft(stack, others, limitMs);
    const begun = new Set(stage.begins().map(({ job }) => job));
    const heldBack = [...putOff, ...wishes.filter(({ isCancelledHeld }) => isCancelledHeld).map(({ job }) => job)];
    const begunAnyway = heldBack.filter((job) => begun.has(job)).length;
    const notOneWay = stuck + (await countNotOneWay(stack, others, putOff));
    return {
      ...{ begunAnyway, notOneWay, fulfilled, wrongAnswers: wishes.flatMap(({ wrong }) => wrong) },
      lost: isControl ? 0 : await endThose(stage, putOff),
      ...(await judgeHeld(stage, ids)),
    };
  },

  check({ fulfilled, ...found }) {
    // Calls came before, and after, the release: else nothing was shown.
    expect(Object.keys(fulfilled).sort()).toEqual([
      'cancel',
      'cancel before its time',
      'far',
      'now',
      'refused',
      'soon',
    ]);
    expect(found).toEqual({ wrongAnswers: [], begunAnyway: 0, notOneWay: 0, lost: 0, early: 0, begunAgain: 0 });
  },

  controls: [
    {
      guards: ['gateway.changes_lock'],
      outcome: 'a job that was put off or cancelled runs all the same',
      red: ({ begunAnyway }) => expect(begunAnyway).toBeGreaterThan(0),
    },
  ],
};

function countFulfilled(wishes: readonly Wishes[]): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = (name: string): void => void (counts[name] = (counts[name] ?? 0) + 1);
  for (const each of wishes) {
    for (const { change, code } of each.answers) {
      if (code === 409) add('refused');
      else add(change);
    }
    if (each.isCancelledHeld) add('cancel before its time');
  }
  return counts;
}

/** Waits until none of the jobs is left to end. @returns how many are, when the limit is over */
async function countLeft(stack: TestStack, jobs: readonly string[], limitMs = END_LIMIT_MS): Promise<number> {
  const left = async (): Promise<number> => {
    const rows = await stack.query(
      `SELECT FROM jobs WHERE id = ANY ($1::uuid[]) AND status NOT IN ('completed', 'cancelled')`,
      [jobs],
    );
    return rows.length;
  };
  return until(async () => (await left()) === 0, { deadlineMs: limitMs, everyMs: 50 }).then(() => 0, left);
}

async function countNotOneWay(stack: TestStack, others: readonly string[], putOff: readonly string[]): Promise<number> {
  const [row] = await stack.query<{ count: number }>(
    `WITH effects AS (SELECT job_id, count(*) AS times FROM attempts WHERE outcome = 'completed' GROUP BY job_id)
     SELECT count(*)::int AS count FROM jobs LEFT JOIN effects ON job_id = id
      WHERE id = ANY ($1::uuid[]) AND coalesce(times, 0) <> CASE status WHEN 'completed' THEN 1 WHEN 'cancelled' THEN 0
        ELSE coalesce(times, 0) END
         OR id = ANY ($2::uuid[]) AND (status <> 'scheduled' OR times IS NOT NULL OR eta < now() + interval '30 minutes')`,
    [others, putOff],
  );
  return row?.count ?? 0;
}

/** Runs one half of the jobs now and cancels the other. @returns how many did not end so */
async function endThose({ stack }: FaultStage, jobs: readonly string[]): Promise<number> {
  const half = Math.floor(jobs.length / 2);
  const end = (job: string, call: string, body: object): Promise<Response> =>
    fetch(`${stack.url}/v1/ingest/${job}/${call}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await Promise.all(
    jobs.map((job, nth) => (nth < half ? end(job, 'reschedule', { countdown: 0 }) : end(job, 'cancel', {}))),
  );
  const left = await countLeft(stack, jobs);
  await untilStreamEmpty(stack);
  const rows = await stack.query(
    `SELECT FROM jobs WHERE id = ANY ($1::uuid[]) AND status <> 'completed' OR id = ANY ($2::uuid[]) AND status <> 'cancelled'`,
    [jobs.slice(0, half), jobs.slice(half)],
  );
  return Math.max(left, rows.length);
}
