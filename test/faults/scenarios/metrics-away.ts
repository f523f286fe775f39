import { differingTotals } from '../../support/figures';
import { until } from '../../support/poll';
import { SHORT_TIMES, streamState, submitMany, untilAllEnded } from '../oracle';
import type { Scenario } from '../scenario';

interface Findings {
  /** Jobs by pipeline and status, of those that were submitted. */
  readonly ends: Readonly<Record<string, number>>;
  /** Figures of the metrics service that are not those of Postgres. */
  readonly differing: readonly string[];
}

/** Figures are compared this long after the end of a minute. */
const COMPARE = '1s';
/** A minute, the pause after it, and the rounds that count it anew, on a busy machine. */
const RIGHT_WITHIN_MS = 100_000;
const TELEMETRY = 'SLUICE_TELEMETRY';

const KINDS = ['three', 'refused', 'retried_soon'] as const;

/** Row 19. */
export const metricsAway: Scenario<Findings> = {
  row: 19,
  title: 'the metrics service is killed, and what was sent to it meanwhile is lost with the store of NATS',
  stack: () => ({
    workers: 1,
    services: ['gateway', 'scheduler', 'metrics'],
    env: { ...SHORT_TIMES, SLUICE_INTERNAL_ROLLUP_COMPARE: COMPARE },
  }),
  limitMs: 300_000,

  async provoke(stage, { size }) {
    const { stack } = stage;
    const wave = async (): Promise<string[]> => {
      const jobs = await submitMany(stack, 30 * size, (nth) => ({ pipeline: KINDS[nth % KINDS.length] }));
      await untilAllEnded(stack, jobs, 90_000);
      return jobs;
    };
    const before = await wave();
    await stack.metrics.kill();
    const { last_seq: sentBefore } = await streamState(stack, TELEMETRY);
    const meanwhile = await wave();
    const isSent = async (): Promise<boolean> => (await streamState(stack, TELEMETRY)).last_seq > sentBefore;
    await until(isSent, { deadlineMs: 30_000, what: 'telemetry that is to be lost' });
    await stack.nats.kill();
    await stack.nats.wipeStore();
    await stack.nats.start();
    await stage.arm(stack.metrics);
    const afterwards = await wave();
    const right = async (): Promise<boolean> => (await differingTotals(stack)).length === 0;
    await until(right, { deadlineMs: RIGHT_WITHIN_MS, everyMs: 500 }).catch(() => undefined);
    const ends = await stack.query<{ pipeline: string; status: string; jobs: number }>(
      `SELECT pipeline, status, count(*)::int AS jobs FROM jobs WHERE id = ANY ($1::uuid[]) GROUP BY 1, 2`,
      [[...before, ...meanwhile, ...afterwards]],
    );
    return {
      ends: Object.fromEntries(ends.map(({ pipeline, status, jobs }) => [`${pipeline} ${status}`, jobs])),
      differing: await differingTotals(stack),
    };
  },

  check({ ends, differing }, { size }) {
    const each = 30 * size;
    expect(ends).toEqual({ 'three completed': each, 'refused failed': each, 'retried_soon completed': each });
    expect(differing).toEqual([]);
  },

  controls: [
    {
      guards: ['metrics.compares'],
      outcome: 'what was lost is missing in the totals for ever',
      red: ({ differing }) => expect(differing).not.toEqual([]),
    },
  ],
};
