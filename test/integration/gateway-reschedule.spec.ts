import type { JobView, Problem } from '#shared/contracts/job';
import { SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { WorkMessage } from '#shared/contracts/work-message';
import { NatsBus } from '#shared/bus/nats-bus';
import { listen } from '#shared/bus/signals';
import { until } from '../support/poll';
import { TestLog } from './bus-stage';
import { type Answer, GatewayStage } from './gateway-stage';
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

const submit = async (body: object = {}): Promise<JobView> =>
  (await stage.submit({ pipeline: 'chain', countdown: 600, ...body })).body;
const reschedule = (id: string, start: unknown): Promise<Answer<JobView>> =>
  stage.post<JobView>(`/v1/ingest/${id}/reschedule`, start);
const cancel = (id: string): Promise<Answer<JobView>> => stage.call<JobView>('POST', `/v1/ingest/${id}/cancel`);
const now = async (id: string): Promise<JobView> => (await stage.get<JobView>(`/v1/ingest/${id}`)).body;
const watch = (id: string): SocketClient =>
  new SocketClient(Number(new URL(stage.url).port), `/v1/ingest/ws/status/${id}`);
const detailOf = ({ body }: Answer<unknown>): string | undefined => (body as Problem).detail;
const inDays = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString();

const turnsOf = (jobId: string): Promise<WorkMessage[]> => storedTurnsOf(bus, jobId);

describe('a scheduled job', () => {
  it('is given another time, earlier or later, as often as one likes; nothing is sent for it', async () => {
    const job = await submit();
    for (const eta of [inDays(300), inDays(2), inDays(3)]) {
      const { status, body } = await reschedule(job.id, { eta });
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'scheduled', eta, countdown: null, queued_at: null });
      expect(body).toEqual(await now(job.id));
    }
    expect((await now(job.id)).version).toBe(job.version + 3);
    expect((await reschedule(job.id, { eta: Math.floor(Date.now() / 1_000) + 5_000 })).body.status).toBe('scheduled');
    expect((await reschedule(job.id, { eta: '2999-01-01T00:00:00Z' })).status).toBe(422);
    expect(await turnsOf(job.id)).toEqual([]);
  });

  it('is given a new countdown, which counts from now on', async () => {
    const job = await submit({ countdown: null, eta: inDays(1) });
    const askedAt = Date.parse((await submit()).created_at);
    const { body } = await reschedule(job.id, { countdown: 90.5 });
    const answeredAt = Date.parse((await submit()).created_at);
    expect(body).toMatchObject({ status: 'scheduled', countdown: 90.5, created_at: job.created_at });
    const start = Date.parse(body.eta ?? '') - 90_500;
    expect(start).toBeGreaterThanOrEqual(askedAt);
    expect(start).toBeLessThanOrEqual(answeredAt);
  });

  it('starts at once, by the gateway alone, when the time has come', async () => {
    for (const [start, shown] of [
      [{ countdown: 0 }, { countdown: 0 }],
      [{ eta: '2001-02-03T04:05:06.789Z' }, { eta: '2001-02-03T04:05:06.789Z', countdown: null }],
      [{ eta: '0001-01-01T00:00:00Z' }, { eta: '0001-01-01T00:00:00.000Z', countdown: null }],
      [
        { eta: 0, countdown: 900 },
        { eta: '1970-01-01T00:00:00.000Z', countdown: null },
      ],
    ]) {
      const { id } = await submit();
      const { status, body } = await reschedule(id, start);
      expect(status).toBe(200);
      expect(body).toMatchObject({ status: 'pending', ...shown });
      expect(Date.parse(body.queued_at ?? '')).toBeGreaterThanOrEqual(Date.parse(body.eta ?? ''));
      expect(body.steps.map((step) => step.status)).toEqual(['queued', 'pending', 'pending']);
      const turns = await until(async () => {
        const found = await turnsOf(id);
        return found.length > 0 && found;
      });
      expect(turns).toMatchObject([{ run: 1, head: 0 }]);
      await worker.complete(id);
      expect((await now(id)).status).toBe('running');
    }
  });

  it('that also needs other jobs waits for them once its time has come', async () => {
    const needed = await submit();
    const job = await submit({ depends_on: [needed.id] });
    const { status, body } = await reschedule(job.id, { countdown: 0 });
    expect([status, body.status, body.queued_at]).toEqual([200, 'waiting', null]);
    expect(detailOf(await reschedule(job.id, { countdown: 0 }))).toMatch(/waits for other jobs/);
    expect(await turnsOf(job.id)).toEqual([]);
  });

  it('tells the schedulers, whose next one it may be now', async () => {
    const words: string[] = [];
    const stop = listen(bus, SCHEDULER_WAKE, () => words.push('look'));
    await bus.ping(1_000);
    const { id } = await submit();
    await until(() => words.length === 1);
    await reschedule(id, { countdown: 60 });
    await until(() => words.length === 2);
    stop();
  });
});

describe('who watches', () => {
  it('a scheduled job is told each new time, then that it is ready, in order and without a gap', async () => {
    const job = await submit();
    const client = watch(job.id);
    await client.messages(1);
    const first = await reschedule(job.id, { eta: inDays(2) });
    const second = await reschedule(job.id, { countdown: 50 });
    await reschedule(job.id, { countdown: 0 });
    const [snapshot, ...events] = await client.messages(5);
    expect(snapshot?.job).toMatchObject({ status: 'scheduled', eta: job.eta, version: 1 });
    expect(events).toMatchObject([
      { event: 'job.scheduled', job_status: 'scheduled', eta: first.body.eta, version: 2, seq: 1 },
      { event: 'job.scheduled', job_status: 'scheduled', eta: second.body.eta, version: 3, seq: 2 },
      { event: 'job.pending', job_status: 'pending', version: 4, seq: 3 },
      { event: 'step.queued', step: 'a', status: 'queued', version: 4, seq: 4 },
    ]);
    await worker.complete(job.id);
    await cancel(job.id);
    expect(client.closed).toBeNull();
    client.ws.close();
  });

  it('a job that needs others is told that it waits for them', async () => {
    const needed = await submit();
    const job = await submit({ depends_on: [needed.id] });
    const client = watch(job.id);
    await client.messages(1);
    await reschedule(job.id, { countdown: 0 });
    expect((await client.messages(2)).at(-1)).toMatchObject({
      event: 'job.waiting',
      job_status: 'waiting',
      version: 2,
    });
    await cancel(job.id);
    expect(await client.closeCode()).toBe(1000);
  });

  it('all jobs, sees a dependant from its first moment on', async () => {
    const needed = await submit();
    const many = await new SocketClient(Number(new URL(stage.url).port), '/v1/ingest/ws').opened();
    many.say({ action: 'subscribe', all: true });
    many.say({ action: 'subscribe', job_ids: [needed.id] });
    await many.messages(1);
    const job = await submit({ countdown: null, depends_on: [needed.id] });
    expect(job.status).toBe('waiting');
    await until(() => many.received.find((message) => message.job?.id === job.id)?.job?.status === 'waiting');
    many.ws.close();
  });
});

describe('a reschedule is refused', () => {
  it('with 409 unless the job is scheduled, and changes nothing', async () => {
    const ready = await submit({ countdown: 0 });
    const running = await submit({ countdown: 0 });
    await worker.begin(running.id);
    const completed = await submit({ countdown: 0, steps: ['a'] });
    await worker.complete(completed.id);
    const failed = await submit({ countdown: 0 });
    await worker.fail(failed.id);
    const cancelled = await submit();
    await cancel(cancelled.id);
    const cancelling = await submit({ countdown: 0 });
    await cancel(cancelling.id);
    const waiting = await submit({ countdown: null, depends_on: [ready.id] });
    for (const [{ id }, words] of [
      [ready, 'is pending'],
      [running, 'is running'],
      [completed, 'is completed'],
      [failed, 'is failed'],
      [cancelled, 'is cancelled'],
      [cancelling, 'is cancelling'],
      [waiting, 'waits for other jobs'],
    ] as const) {
      const before = await now(id);
      for (const start of [{ countdown: 0 }, { eta: inDays(1) }]) {
        const answer = await reschedule(id, start);
        expect([answer.status, detailOf(answer)]).toEqual([409, expect.stringContaining(words)]);
      }
      const { status, eta, countdown, version } = before;
      expect(await now(id)).toMatchObject({ status, eta, countdown, version });
    }
  });

  it.each(['nope', UNKNOWN, '%00'])('with 404 for %s', async (id) => {
    expect((await reschedule(id, { countdown: 0 })).status).toBe(404);
  });

  it.each<[unknown, number, string[]]>([
    [{}, 422, ['']],
    [{ eta: null, countdown: null }, 422, ['']],
    [[], 422, ['']],
    [{ eta: '2030-01-01T00:00:00' }, 422, ['eta']],
    [{ eta: Date.now() }, 422, ['eta']],
    [{ eta: '1893456000' }, 422, ['eta']],
    [{ countdown: -1 }, 422, ['countdown']],
    [{ countdown: '5' }, 422, ['countdown']],
    [{ countdown: 1e12 }, 422, ['countdown']],
    [{ eta: inDays(1), countdown: -1 }, 422, ['countdown']],
    [{ countdown: 0, now: true }, 422, ['now']],
    ['{', 400, []],
  ])('of %j with %d', async (start, status, paths) => {
    const { id } = await submit();
    const { body, ...answer } = await stage.post<Problem>(`/v1/ingest/${id}/reschedule`, start);
    expect([answer.status, body.errors?.map(({ path }) => path) ?? []]).toEqual([status, paths]);
    expect((await now(id)).version).toBe(1);
    expect((await stage.post(`/v1/ingest/${id}/reschedule?now=1`, { countdown: 0 })).status).toBe(422);
  });

  it('without a body', async () => {
    const { id } = await submit();
    expect((await stage.call('POST', `/v1/ingest/${id}/reschedule`)).status).toBe(422);
  });
});

describe('at the same moment', () => {
  const COUNT = 30;

  it('a cancel and "run now": the job was started and is stopped, or never starts', async () => {
    const jobs = await Promise.all(Array.from({ length: COUNT }, () => submit()));
    await Promise.all(
      jobs.map(async ({ id }, index) => {
        const calls = [(): Promise<Answer<JobView>> => reschedule(id, { countdown: 0 }), () => cancel(id)];
        if (index % 2 === 0) calls.reverse();
        const answers = await Promise.all(calls.map((call) => call()));
        if (index % 2 === 0) answers.reverse();
        const { status, queued_at } = await now(id);
        const [started, stopped] = answers.map((answer) => answer.status);
        expect({ started, stopped, status, queued: queued_at !== null }).toEqual(
          started === 200
            ? { started: 200, stopped: 202, status: 'cancelling', queued: true }
            : { started: 409, stopped: 202, status: 'cancelled', queued: false },
        );
      }),
    );
  });

  it('a cancel and another time: it is cancelled, whichever came first', async () => {
    const jobs = await Promise.all(Array.from({ length: COUNT }, () => submit()));
    await Promise.all(
      jobs.map(async ({ id }) => {
        const [later, stopped] = await Promise.all([reschedule(id, { countdown: 900 }), cancel(id)]);
        expect([200, 409]).toContain(later.status);
        expect([stopped.status, (await now(id)).status]).toEqual([202, 'cancelled']);
        expect((await now(id)).version).toBe(later.status === 200 ? 3 : 2);
      }),
    );
  });

  it('several that run it now: one of them does', async () => {
    const { id } = await submit();
    const answers = await Promise.all(Array.from({ length: 8 }, () => reschedule(id, { countdown: 0 })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(409)]);
    await until(async () => (await turnsOf(id)).length > 0);
    expect(await turnsOf(id)).toHaveLength(1);
  });
});

it('the log says who gave it which time', async () => {
  const { id } = await submit();
  const { body } = await reschedule(id, { countdown: 700 });
  const line = await until(() => stage.lines.find((each) => each.includes(id) && each.includes('reschedule')));
  expect(JSON.parse(line)).toMatchObject({
    ...{ key: 'anonymous', call: 'POST /v1/ingest/:id/reschedule', status: 200 },
    ...{ job: id, job_status: 'scheduled', eta: body.eta },
  });
});

it('needs no NATS', async () => {
  const jobs = await Promise.all([submit(), submit()]);
  await stage.nats.kill();
  try {
    await stage.untilHealthy('degraded');
    expect((await reschedule(jobs[0]?.id ?? '', { countdown: 0 })).body.status).toBe('pending');
    expect((await reschedule(jobs[1]?.id ?? '', { countdown: 60 })).body.status).toBe('scheduled');
  } finally {
    await stage.nats.start();
    await stage.untilHealthy('ok');
  }
});
