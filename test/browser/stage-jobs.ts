import type { JobView } from '#shared/contracts/job';
import type { DeadLetterGroups } from '#shared/contracts/dead-letter';
import { until } from '../support/poll';
import type { TestStack } from '../support/stack';

/** Steps that complete, fail for good, are retried late, and take long. */
export const PIPELINES = `
retry: { max_retries: 3, back_off_seconds: 0.05 }
resources: { llm: { max_tokens: 4 } }
pipelines:
  repository:
    description: Reads a repository
    source: required
    steps: [{ name: filesystem }, { name: documentation }]
  quick:
    steps: [{ name: fetch, uses: noop }, { name: parse, uses: noop }, { name: index, uses: noop, needs: [fetch] }]
  flaky:
    steps: [{ name: fetch, uses: noop, options: { fail_attempts: 2 } }]
  broken:
    steps:
      - { name: fetch, uses: noop }
      - { name: load, uses: noop, options: { fail_attempts: 9, fail_with: permanent } }
      - { name: after, uses: noop }
  patient:
    steps: [{ name: call, uses: noop, back_off_seconds: 3600, options: { fail_attempts: 9 } }]
  slow:
    steps: [{ name: think, uses: noop, resources: { llm: 1 }, options: { duration_ms: 3600000 } }]
`;

/** What the dashboard of the stack has to show. */
export interface StageJobs {
  readonly completed: string;
  readonly failed: string;
  readonly retrying: string;
  readonly running: string;
  readonly scheduled: string;
  readonly waiting: string;
  readonly schedule: string;
  readonly fingerprint: string;
}

/** Submits a job of each kind, makes a schedule, and waits until each is where it has to be. */
export async function submitStageJobs(stack: TestStack): Promise<StageJobs> {
  const submit = async (job: object): Promise<string> => (await post<JobView>(stack, '/v1/ingest', job)).id;
  const completed = await submit({ pipeline: 'quick', tags: ['docs'], description: 'All is well' });
  await submit({ pipeline: 'flaky' });
  const failed = await submit({ pipeline: 'broken', input: { customer: 'kingfisher', text: '<b>not markup</b>' } });
  await submit({ pipeline: 'broken' });
  const retrying = await submit({ pipeline: 'patient' });
  const running = await submit({ pipeline: 'slow', priority: 'high' });
  const scheduled = await submit({ pipeline: 'quick', countdown: 5_400, tags: ['tonight', 'docs'] });
  await submit({ pipeline: 'quick', countdown: 200_000, description: 'In some days' });
  const waiting = await submit({ pipeline: 'quick', depends_on: [running, retrying] });
  const nightly = { cron: '0 3 * * *', timezone: 'Europe/Berlin', job: { pipeline: 'quick' }, description: 'Nightly' };
  const schedule = (await post<{ id: string }>(stack, '/v1/schedules', nightly)).id;
  await post(stack, `/v1/schedules/${schedule}/run`);
  await post(stack, '/v1/schedules', { cron: '*/15 * * * *', job: { pipeline: 'flaky' } });
  await post(stack, '/v1/schedules', { cron: '0 0 1 1 *', job: { pipeline: 'slow' }, enabled: false });
  await untilIs(stack, completed, ({ status }) => status === 'completed');
  await untilIs(stack, failed, ({ status }) => status === 'failed');
  await untilIs(stack, retrying, ({ steps }) => steps.some(({ status }) => status === 'retrying'));
  await untilIs(stack, running, ({ steps }) => steps.some(({ status }) => status === 'running'));
  const fingerprint = await until(
    async () => {
      const { items } = await get<DeadLetterGroups>(stack, '/v1/dead_letters?group_by=fingerprint');
      return items[0]?.count === 2 && items[0].fingerprint;
    },
    { deadlineMs: 60_000, what: 'two dead letters of one group' },
  );
  return { completed, failed, retrying, running, scheduled, waiting, schedule, fingerprint };
}

/** Resolves with the job when it is as asked for. */
export const untilIs = (stack: TestStack, id: string, isSo: (job: JobView) => boolean): Promise<JobView> =>
  until(
    async () => {
      const job = await get<JobView>(stack, `/v1/ingest/${id}`);
      return isSo(job) && job;
    },
    { deadlineMs: 60_000, everyMs: 50, what: `the state of job ${id}` },
  );

export const get = async <T>(stack: TestStack, path: string): Promise<T> =>
  (await (await fetch(stack.url + path)).json()) as T;

export async function post<T>(stack: TestStack, path: string, body?: object): Promise<T> {
  const response = await fetch(stack.url + path, {
    method: 'POST',
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}
