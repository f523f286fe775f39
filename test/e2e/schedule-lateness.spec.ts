import { pipelineOf, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({ services: ['scheduler', 'metrics'], workers: 0 });
  const definition = JSON.stringify(pipelineOf([stepNamed('a')]));
  await stack.query(`INSERT INTO pipelines (hash, name, definition) VALUES ('h', 'tried', $1)`, [definition]);
});
afterAll(() => stack.stop());

const hold = (count: number, dueInSeconds: number): Promise<unknown> =>
  stack.query(
    `INSERT INTO jobs (id, pipeline_hash, pipeline, status, priority, all_steps, roots, due_at, eta)
     SELECT gen_random_uuid(), 'h', 'tried', 'scheduled', 'default', 1, 1, due, due
     FROM (SELECT now() + $2 * interval '1 second' AS due FROM generate_series(1, $1::int)) AS held`,
    [count, dueInSeconds],
  );

/** The histogram as the metrics service has it: how many up to a bound, in all, and the sum of them in seconds. */
async function lateness(): Promise<{ upTo: (le: string) => number; count: number; sum: number }> {
  const text = await (await fetch(`${stack.metrics.url}/metrics`)).text();
  const of = (name: string): number => {
    const line = text.split('\n').find((each) => each.startsWith(`sluice_schedule_lateness_seconds${name} `));
    return Number(line?.split(' ').at(-1) ?? 0);
  };
  return { upTo: (le) => of(`_bucket{le="${le}"}`), count: of('_count'), sum: of('_sum') };
}

it('the metrics service serves how late delayed jobs were published, those included that were due while no scheduler ran', async () => {
  expect(await lateness()).toMatchObject({ count: 0, sum: 0 });
  await hold(20, 1.2);
  await until(async () => (await lateness()).count === 20, { deadlineMs: 60_000 });
  const inTime = await lateness();
  expect(inTime.upTo('1')).toBe(20);
  expect(inTime.sum).toBeGreaterThan(0);

  await stack.scheduler.kill();
  await hold(3, -100);
  const from = stack.scheduler.lines.length;
  await stack.scheduler.start();
  const all = await until(
    async () => {
      const seen = await lateness();
      return seen.count === 23 && seen;
    },
    { deadlineMs: 60_000 },
  );
  expect(all.sum - inTime.sum).toBeGreaterThan(300);
  expect(all.upTo('1')).toBe(20);
  const line = await until(() => stack.scheduler.lines.slice(from).find((each) => each.includes('handed out late')));
  expect(JSON.parse(line)).toMatchObject({
    level: 'info',
    jobs: 3,
    latest_by_s: expect.closeTo(100, -1.5) as unknown,
    cause: expect.stringContaining('no scheduler ran') as unknown,
  });
}, 180_000);
