import type { JobPage, JobView, Problem } from '#shared/contracts/job';
import type { WorkMessage } from '#shared/contracts/work-message';
import { CANCEL_BROADCAST, SCHEDULER_WAKE } from '#shared/contracts/subjects';
import { listen } from '#shared/bus/signals';
import { until } from '../support/poll';
import { TestLog } from './bus-stage';
import { NatsBus } from '#shared/bus/nats-bus';
import { GatewayStage } from './gateway-stage';
import { PretendWorker } from './pretend-worker';
import { storedTurnsOf } from './stored-turns';
import { SocketClient } from './ws-stage';

const UNKNOWN = '01930000-0000-7000-8000-000000000000';

let stage: GatewayStage;
let worker: PretendWorker;
let bus: NatsBus;

beforeAll(async () => {
  stage = await GatewayStage.start();
  worker = await PretendWorker.start(stage.database.url);
  bus = await NatsBus.connect({ url: stage.nats.url, name: 'spec', log: new TestLog() });
});
afterAll(async () => {
  await bus.close(1_000);
  await worker.stop();
  expect(await stage.stop()).toBe(true);
});

const submit = async (body: object = {}): Promise<JobView> => (await stage.submit({ pipeline: 'chain', ...body })).body;
const cancel = (id: string, init: RequestInit = {}) => stage.call<JobView>('POST', `/v1/ingest/${id}/cancel`, init);
const retry = (id: string, body?: unknown) =>
  body === undefined
    ? stage.call<JobView>('POST', `/v1/ingest/${id}/retry`)
    : stage.post<JobView>(`/v1/ingest/${id}/retry`, body);
const now = async (id: string): Promise<JobView> => (await stage.get<JobView>(`/v1/ingest/${id}`)).body;
const statuses = ({ steps }: JobView): string[] => steps.map(({ status }) => status);
const watch = (path: string): SocketClient => new SocketClient(Number(new URL(stage.url).port), path);
const eventsOf = (client: SocketClient): string[] =>
  client.received.flatMap(({ event, step }) => (event === undefined ? [] : [step ? `${event} ${step}` : event]));

const turnsOf = (jobId: string): Promise<WorkMessage[]> => storedTurnsOf(bus, jobId);

/** A job whose second step has failed for good, after it was begun. */
async function failedJob(): Promise<string> {
  const { id } = await submit();
  await worker.complete(id, 0, { found: 1 });
  await worker.fail(id, 1);
  return id;
}

describe('a cancel', () => {
  it('of a job that is only held ends it at once, and says so to who watches', async () => {
    const { id } = await submit({ countdown: 600 });
    const client = watch(`/v1/ingest/ws/status/${id}`);
    await client.messages(1);
    const { status, body } = await cancel(id);
    expect([status, body.status]).toEqual([202, 'cancelled']);
    expect(statuses(body)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    expect(body.completed_at).not.toBeNull();
    expect(await client.closeCode()).toBe(1000);
    expect(eventsOf(client)).toEqual([
      ...['step.cancelled a', 'step.cancelled b', 'step.cancelled c'],
      'job.cancelled',
    ]);
  });

  it('of a job that was handed out is committed, marked and broadcast; asking again changes nothing', async () => {
    const words: string[] = [];
    const stop = [CANCEL_BROADCAST, SCHEDULER_WAKE].map((subject) => listen(bus, subject, () => words.push(subject)));
    await bus.ping(1_000);
    const { id } = await submit();
    const client = watch(`/v1/ingest/ws/status/${id}`);
    await client.messages(1);
    const first = await cancel(id);
    expect([first.status, first.body.status]).toEqual([202, 'cancelling']);
    const [row] = await stage.database.query('SELECT cancel_at < cancel_mark AS marked FROM jobs WHERE id = $1', [id]);
    expect(row).toEqual({ marked: true });
    await until(() => words.includes(CANCEL_BROADCAST) && words.includes(SCHEDULER_WAKE));
    await client.messages(2);
    const again = await cancel(id);
    expect([again.status, again.body.status, again.body.version]).toEqual([202, 'cancelling', first.body.version]);
    expect(eventsOf(client)).toEqual(['job.cancelling']);
    for (const each of stop) each();
    client.ws.close();
  });

  it('leaves a finished job as it is, with 200', async () => {
    const completed = await submit({ steps: ['a'] });
    await worker.complete(completed.id);
    const failed = await failedJob();
    for (const [id, ended] of [
      [completed.id, 'completed'],
      [failed, 'failed'],
    ] as const) {
      const { status, body } = await cancel(id);
      expect([status, body.status]).toEqual([200, ended]);
      expect(body).toEqual(await now(id));
    }
  });

  it('of a running job waits for its workers; its last step may still complete it', async () => {
    const { id } = await submit({ steps: ['a'] });
    await worker.begin(id);
    expect((await cancel(id)).body).toMatchObject({ status: 'cancelling', steps: [{ status: 'running' }] });
    await worker.complete(id);
    const { status, body } = await cancel(id);
    expect([status, body.status]).toEqual([200, 'completed']);
  });

  it('against the completion of the same job: one of them wins, always', async () => {
    const jobs = await Promise.all(Array.from({ length: 30 }, () => submit({ steps: ['a'] })));
    const races = jobs.map(async ({ id }) => {
      const [answer] = await Promise.all([cancel(id), worker.complete(id).catch(() => undefined)]);
      const { status } = await now(id);
      expect(['completed', 'cancelling']).toContain(status);
      // The step was not begun: a cancel that came first keeps it from beginning.
      expect(answer.status).toBe(status === 'completed' ? 200 : 202);
      return status;
    });
    expect(await Promise.all(races)).toHaveLength(30);
  });

  it.each(['nope', UNKNOWN, '%00', 'batch'])('of %s is a 404', async (id) => {
    expect((await cancel(id)).status).toBe(404);
  });

  it('takes no body but an empty object, and no parameters', async () => {
    const { id } = await submit({ countdown: 600 });
    const bad = await stage.post<Problem>(`/v1/ingest/${id}/cancel`, { force: true });
    expect([bad.status, bad.body.errors?.[0]?.path]).toEqual([422, 'force']);
    expect((await stage.post(`/v1/ingest/${id}/cancel`, [])).status).toBe(422);
    expect((await stage.post(`/v1/ingest/${id}/cancel`, '{')).status).toBe(400);
    expect((await stage.post(`/v1/ingest/${id}/cancel?force=1`, {})).status).toBe(422);
    expect((await now(id)).status).toBe('scheduled');
    expect((await stage.post(`/v1/ingest/${id}/cancel`, {})).status).toBe(202);
  });
});

describe('a retry', () => {
  it('waits anew: what passed before it is no wait', async () => {
    const id = await failedJob();
    const before = await now(id);
    await retry(id);
    const after = await now(id);
    expect(before.completed_at).not.toBeNull();
    expect(Date.parse(after.queued_at ?? '')).toBeGreaterThanOrEqual(Date.parse(before.completed_at ?? ''));
    expect(after.created_at).toBe(before.created_at);
    await worker.begin(id, 1);
    expect((await now(id)).queued_at).toBe(after.queued_at);
  });

  it('goes on from the failed step with what is stored, in a new run that workers must read', async () => {
    const id = await failedJob();
    expect(await now(id)).toMatchObject({ status: 'failed' });
    expect(statuses(await now(id))).toEqual(['completed', 'failed', 'skipped']);
    const many = await watch('/v1/ingest/ws').opened();
    many.say({ action: 'subscribe', job_ids: [id] });
    await many.messages(1);
    const { status, body } = await retry(id);
    expect([status, body.status, ...statuses(body)]).toEqual([202, 'pending', 'completed', 'queued', 'pending']);
    expect(body.steps[0]?.output).toEqual({ found: 1 });
    expect(body.steps[1]).toMatchObject({ attempt: 1, retry_count: 0, last_error: { message: 'no luck' } });
    const turn = await until(async () => (await turnsOf(id)).find(({ run }) => run === 2), { what: 'the turn' });
    expect(turn).toMatchObject({ head: 1, read: true });
    await many.messages(4);
    expect(eventsOf(many)).toEqual(['job.retried', 'step.queued b']);
    expect(many.received.find(({ event }) => event === 'job.retried')).toMatchObject({ job_status: 'pending' });
    expect(many.received.at(-1)?.job).toMatchObject({ status: 'pending', version: body.version });
    many.ws.close();
    await worker.complete(id, 1);
    await worker.complete(id, 2);
    expect(await now(id)).toMatchObject({
      status: 'completed',
      steps: [{ attempt: 1 }, { attempt: 2 }, { attempt: 1 }],
    });
  });

  it('from a step begins there again, also of a completed job', async () => {
    const { id } = await submit({ steps: ['b'] });
    await worker.complete(id, 0, { first: true });
    await worker.complete(id, 1);
    const { status, body } = await retry(id, { from_step: 'b' });
    expect([status, body.status, ...statuses(body)]).toEqual([202, 'pending', 'completed', 'queued']);
    const whole = await failedJob();
    expect(statuses((await retry(whole, { from_step: 'a' })).body)).toEqual(['queued', 'pending', 'pending']);
  });

  it('of a cancelled job takes up what was not done', async () => {
    const { id } = await submit();
    await worker.complete(id);
    await cancel(id);
    expect(await worker.endCancel(id)).toBe(true);
    expect(statuses(await now(id))).toEqual(['completed', 'cancelled', 'cancelled']);
    const { status, body } = await retry(id, { from_step: null });
    expect([status, ...statuses(body)]).toEqual([202, 'completed', 'queued', 'pending']);
  });

  it('is refused with 409 that says the state and what to do', async () => {
    const held = (await submit({ countdown: 600 })).id;
    const pending = (await submit()).id;
    const cancelling = (await submit()).id;
    await cancel(cancelling);
    const completed = (await submit({ steps: ['a'] })).id;
    await worker.complete(completed);
    for (const [id, words] of [
      [held, /is scheduled: reschedule it/],
      [pending, /is pending: .*Cancel it first, or wait/],
      [cancelling, /is being cancelled: retry it once it is cancelled/],
      [completed, /is completed: say with from_step/],
    ] as const) {
      const before = await now(id);
      const { status, body } = await retry(id);
      expect([status, (body as unknown as Problem).detail]).toEqual([409, expect.stringMatching(words)]);
      expect((await now(id)).version).toBe(before.version);
    }
    expect((await retry(pending, { from_step: 'a' })).status).toBe(409);
  });

  it('is won by one of those who ask at once', async () => {
    const id = await failedJob();
    const answers = await Promise.all(Array.from({ length: 8 }, () => retry(id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array<number>(7).fill(409)]);
    expect(await stage.database.query('SELECT run FROM jobs WHERE id = $1', [id])).toEqual([{ run: 2 }]);
  });

  it.each(['nope', UNKNOWN])('of %s is a 404', async (id) => {
    expect((await retry(id)).status).toBe(404);
    expect((await retry(id, { from_step: 'a' })).status).toBe(404);
  });

  it('with a step that the job does not have, or a field that there is not, is a 422', async () => {
    const id = await failedJob();
    const bodies: [unknown, string][] = [
      [{ from_step: 'nope' }, 'from_step'],
      [{ from_step: '' }, 'from_step'],
      [{ from_step: 5 }, 'from_step'],
      [{ step: 'a' }, 'step'],
      [[], ''],
    ];
    for (const [body, path] of bodies) {
      const answer = await stage.post<Problem>(`/v1/ingest/${id}/retry`, body);
      expect([answer.status, answer.body.errors?.map((each) => each.path)]).toEqual([422, [path]]);
    }
    expect((await now(id)).status).toBe('failed');
  });

  it('gives the step its retries back', async () => {
    const id = await failedJob();
    await retry(id);
    await worker.failOnce(id, 1);
    const job = await now(id);
    expect(job).toMatchObject({
      status: 'running',
      retry_count: 1,
      steps: [{}, { status: 'retrying', attempt: 2 }, {}],
    });
    const { body } = await stage.get<JobPage>('/v1/ingest?status=retrying');
    expect(body.items.map((each) => each.id)).toEqual([id]);
    const { items } = (await stage.get<{ items: object[] }>(`/v1/ingest/${id}/attempts`)).body;
    expect(items).toMatchObject([
      { step: 'a', number: 1, outcome: 'completed' },
      { step: 'b', number: 1, outcome: 'failed', next_delay_ms: null },
      { step: 'b', number: 2, outcome: 'failed', next_delay_ms: 60_000 },
    ]);
  });
});

it('the log says who asked for what', async () => {
  const id = await failedJob();
  await retry(id, { from_step: 'a' });
  await cancel(id);
  const lines = await until(() => {
    const found = stage.lines.filter((line) => line.includes(id)).map((line) => JSON.parse(line) as object);
    return found.length >= 3 && found;
  });
  expect(lines.slice(-2)).toMatchObject([
    { key: 'anonymous', call: 'POST /v1/ingest/:id/retry', job: id, from_step: 'a', status: 202 },
    { key: 'anonymous', call: 'POST /v1/ingest/:id/cancel', job: id, job_status: 'cancelling', status: 202 },
  ]);
});

it('neither call fails without NATS', async () => {
  const id = await failedJob();
  const held = await submit({ countdown: 600 });
  await stage.nats.kill();
  try {
    await stage.untilHealthy('degraded');
    expect((await retry(id)).status).toBe(202);
    expect((await cancel(id)).body.status).toBe('cancelling');
    expect((await cancel(held.id)).body.status).toBe('cancelled');
  } finally {
    await stage.nats.start();
    await stage.untilHealthy('ok');
  }
});
