import { connect, type NatsConnection } from 'nats';
import { join } from 'node:path';
import { jobView, type JobView } from '#shared/contracts/job';
import { type LiveEventBatch, liveEventBatch } from '#shared/contracts/live-event';
import { type WorkMessage, workMessage } from '#shared/contracts/work-message';
import { until } from '../support/poll';
import { GatewayStage } from './gateway-stage';

let stage: GatewayStage;
let nats: NatsConnection;

beforeAll(async () => {
  stage = await GatewayStage.start();
  nats = await connect({ servers: stage.nats.url });
});

afterAll(async () => {
  await nats.close();
  await stage.stop();
});

/** The messages of a job in the work stream, with their subjects, once there are so many. */
async function messagesOf(jobId: string, count: number): Promise<{ subject: string; message: WorkMessage }[]> {
  const jsm = await nats.jetstreamManager();
  return until(
    async () => {
      const { state } = await jsm.streams.info('SLUICE_WORK');
      const found: { subject: string; message: WorkMessage }[] = [];
      for (let seq = state.first_seq; seq <= state.last_seq; seq += 1) {
        const stored = await jsm.streams.getMessage('SLUICE_WORK', { seq });
        const message = workMessage.parse(stored.json());
        if (message.job_id === jobId) found.push({ subject: stored.subject, message });
      }
      return found.length >= count ? found : null;
    },
    { what: `${count} messages` },
  );
}

describe('a submitted job', () => {
  it('is answered as it is stored, with its place', async () => {
    const request = {
      pipeline: 'chain',
      input: { n: 1, deep: [{ text: 'ü€😀' }] },
      tags: ['x', 'x', 'y'],
      description: 'try',
      priority: 'high',
      options: { b: { duration_ms: 7 } },
      idempotency_key: 'first',
      on_dependency_failure: 'run',
      depends_on: [],
    };
    const { status, headers, body } = await stage.submit(request);
    expect(status).toBe(202);
    expect(headers.get('location')).toBe(`/v1/ingest/${body.id}`);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(jobView.strict().parse(body)).toEqual(body);
    expect(body).toMatchObject({ status: 'pending', priority: 'high', input: request.input, progress: 0, version: 1 });
    expect(body.steps.map(({ name, status: each }) => `${name} ${each}`)).toEqual([
      'a queued',
      'b pending',
      'c pending',
    ]);
    expect(body.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect((await stage.get(`/v1/ingest/${body.id}`)).body).toEqual(body);
    expect((await stage.get(`/v1/ingest/${body.id}/attempts`)).body).toEqual({ items: [] });
    expect((await stage.get(`/v1/ingest/${body.id}/logs`)).body).toEqual({ items: [] });
  });

  it('has a message for each step that needs no other, in its queue and priority', async () => {
    const { body } = await stage.submit({ pipeline: 'wide', priority: 'low', input: { n: 5 } });
    const messages = await messagesOf(body.id, 2);
    const [row] = await stage.database.query<{ at: string; open: string }>(
      'SELECT (extract(epoch FROM dispatched_at) * 1000000)::bigint AS at, open FROM jobs WHERE id = $1',
      [body.id],
    );
    expect(row?.open).toBe('3');
    expect(messages.map(({ subject }) => subject).sort()).toEqual(['sluice.work.default.low', 'sluice.work.heavy.low']);
    const byHead = new Map(messages.map(({ message }) => [message.head, message]));
    expect(byHead.get(0)).toEqual({
      ...{ job_id: body.id, run: 1, head: 0, at: Number(row?.at), read: false, pipeline_hash: body.pipeline_hash },
      data: { source: null, source_type: null, branch: null, commit: null, input: { n: 5 }, options: {}, outputs: {} },
    });
    // a step with a limit is claimed before it runs
    expect(byHead.get(1)).toMatchObject({ head: 1, read: true });
    expect(byHead.get(1)).not.toHaveProperty('data');
  });

  it('is told to whoever listens', async () => {
    const news: LiveEventBatch[] = [];
    const subscription = nats.subscribe('sluice.events.*', {
      callback: (_, message) => news.push(liveEventBatch.parse(message.json())),
    });
    await nats.flush();
    const { body: ready } = await stage.submit({ pipeline: 'chain' });
    const { body: held } = await stage.submit({ pipeline: 'chain', countdown: 3_600 });
    await until(() => news.length >= 2, { what: 'two batches of events' });
    subscription.unsubscribe();
    expect(news).toMatchObject([
      {
        ...{ job_id: ready.id, version: 1 },
        events: [
          { event: 'job.pending', job_status: 'pending' },
          { event: 'step.queued', step: 'a', status: 'queued' },
        ],
      },
      { job_id: held.id, version: 1, events: [{ event: 'job.scheduled', job_status: 'scheduled', eta: held.eta }] },
    ]);
  });

  it('runs only the steps that it names and what they need', async () => {
    const { body } = await stage.submit({ pipeline: 'chain', steps: ['b'] });
    expect(body.steps.map((step) => step.name)).toEqual(['a', 'b']);
    const whole = await stage.submit({ pipeline: 'chain' });
    const again = await stage.submit({ pipeline: 'chain', steps: ['b', 'a', 'b'] });
    expect(again.body.pipeline_hash).toBe(body.pipeline_hash);
    expect(whole.body.pipeline_hash).not.toBe(body.pipeline_hash);
    expect((await stage.get<JobView>(`/v1/ingest/${body.id}`)).body).toMatchObject({
      pipeline: 'chain',
      steps: body.steps,
    });
  });

  it('names its source by where it really is', async () => {
    const { status, body } = await stage.submit({ source: 'tree/../tree', branch: 'main' });
    expect(status).toBe(202);
    expect(body).toMatchObject({ source: join(stage.sources, 'tree'), source_type: 'local_path', branch: 'main' });
  });
});

describe('an eta', () => {
  it('to come holds the job, without a message', async () => {
    const { body } = await stage.submit({ pipeline: 'chain', eta: '2030-01-01T00:00:00+01:00' });
    expect(body).toMatchObject({ status: 'scheduled', eta: '2029-12-31T23:00:00.000Z', queued_at: null });
    expect((await stage.get(`/v1/ingest/${body.id}`)).body).toEqual(body);
    expect(body.steps.map((step) => step.status)).toEqual(['pending', 'pending', 'pending']);
  });

  it('in the past starts the job at once and is kept', async () => {
    for (const eta of ['2001-02-03T04:05:06Z', '0001-01-01T00:00:00Z', 981_173_106, 0, -5]) {
      const { status, body } = await stage.submit({ pipeline: 'chain', eta });
      expect({ status, job: body.status }).toEqual({ status: 202, job: 'pending' });
      expect((await stage.get<JobView>(`/v1/ingest/${body.id}`)).body.eta).toBe(body.eta);
      expect(Date.parse(body.eta ?? '')).toBe(typeof eta === 'number' ? eta * 1_000 : Date.parse(eta));
    }
  });

  it('wins over a countdown; a countdown makes one', async () => {
    const both = await stage.submit({ pipeline: 'chain', eta: '2001-01-01T00:00:00Z', countdown: 3_600 });
    expect(both.body).toMatchObject({ status: 'pending', eta: '2001-01-01T00:00:00.000Z' });
    const { body } = await stage.submit({ pipeline: 'chain', countdown: 90.5, eta: null });
    expect(body).toMatchObject({ status: 'scheduled', countdown: 90.5 });
    expect(Date.parse(body.eta ?? '') - Date.parse(body.created_at)).toBe(90_500);
    expect((await stage.submit({ pipeline: 'chain', countdown: 0 })).body.status).toBe('pending');
    expect((await stage.submit({ pipeline: 'chain', countdown: null })).body).toMatchObject({
      eta: null,
      status: 'pending',
    });
  });
});

describe('what else there is to see', () => {
  it('are the pipelines', async () => {
    const { body } = await stage.get<{ items: { name: string }[] }>('/v1/pipelines');
    expect(body.items.map(({ name }) => name)).toEqual(['repository', 'chain', 'wide']);
    expect((await stage.get('/v1/pipelines/wide')).body).toMatchObject({
      ...{ name: 'wide', source: 'optional' },
      steps: [
        { name: 'left', uses: 'noop', needs: [], queue: 'default', max_retries: 3 },
        { name: 'right', concurrency: 2 },
        {
          name: 'both',
          needs: ['left', 'right'],
          options: { duration_ms: 5 },
          job_options: ['duration_ms', 'fail_attempts', 'fail_with', 'output'],
        },
      ],
    });
    expect((await stage.get('/v1/pipelines/__proto__')).status).toBe(404);
  });

  it('are the workers, the health and the metrics', async () => {
    expect((await stage.get('/v1/workers')).body).toEqual({ items: [] });
    expect((await stage.get('/health/live')).status).toBe(200);
    expect((await stage.get('/health/ready')).body).toMatchObject({ status: 'ok' });
    expect((await stage.get('/metrics')).body).toContain('process_cpu_user_seconds_total');
    expect((await stage.get('/v1/repositories')).body).toMatchObject({ items: [] });
  });

  it('is who did what, in the log', async () => {
    const { body } = await stage.submit({ pipeline: 'chain' });
    const line = await until(() => stage.lines.find((each) => each.includes(body.id)), { what: 'the line' });
    expect(JSON.parse(line)).toMatchObject({ key: 'anonymous', call: 'POST /v1/ingest', job: body.id, status: 202 });
  });
});
