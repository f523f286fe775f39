import { uuidv7 } from 'uuidv7';
import { isEnded } from '#shared/domain/status';
import type { JobView } from '#shared/contracts/job';
import { until } from '../support/poll';
import { TestStack } from '../support/stack';
import { type Received, SocketClient } from './ws-stage';

const PIPELINES = `
retry: { max_retries: 2, back_off_seconds: 0.2 }
pipelines:
  chain:
    steps:
      - { name: first, uses: noop }
      - { name: flaky, uses: noop, options: { fail_attempts: 1, duration_ms: 50 } }
      - { name: last, uses: noop }
  diamond:
    steps:
      - { name: top, uses: noop }
      - { name: left, uses: noop, needs: [top], options: { duration_ms: 20 } }
      - { name: right, uses: noop, needs: [top], options: { duration_ms: 20 } }
      - { name: bottom, uses: noop, needs: [left, right] }
  broken: { steps: [{ name: only, uses: noop, options: { fail_attempts: 1, fail_with: permanent } }] }
  slow:
    steps:
      - { name: only, uses: noop, options: { duration_ms: 4000 } }
`;

let stack: TestStack;

beforeAll(async () => {
  stack = await TestStack.start({
    workers: 2,
    services: ['gateway', 'scheduler'],
    pipelines: PIPELINES,
    ownPostgres: true,
  });
}, 120_000);

afterAll(() => stack.stop());

const port = (): number => Number(new URL(stack.url).port);

async function submit(body: object): Promise<JobView> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${stack.url}/v1/ingest`, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(202);
  return (await answer.json()) as JobView;
}

async function jobNow(id: string): Promise<JobView> {
  return (await (await fetch(`${stack.url}/v1/ingest/${id}`)).json()) as JobView;
}

const watch = (id: string): SocketClient => new SocketClient(port(), `/v1/ingest/ws/status/${id}`);

/** What a client knows at the end that only folds what it was sent. */
function fold(messages: readonly Received[]): { status?: string; steps: Record<string, string> } {
  const view: { status?: string; steps: Record<string, string> } = { steps: {} };
  for (const { job, event, step, status } of messages) {
    if (job) {
      view.status = job.status;
      view.steps = Object.fromEntries(job.steps.map((each) => [each.name, each.status]));
    }
    if (event?.startsWith('job.')) view.status = event.slice('job.'.length);
    if (step !== undefined && status !== undefined) view.steps[step] = status;
  }
  return view;
}

const seqsOf = (client: SocketClient): (number | undefined)[] =>
  client.received.filter(({ type }) => type === 'event').map(({ seq }) => seq);

const oneTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('the socket of a job that workers run', () => {
  it('tells its whole story from one snapshot on, and closes with 1000', async () => {
    const { id } = await submit({ pipeline: 'chain', countdown: 2 });
    const client = watch(id);
    expect(await client.closeCode()).toBe(1000);
    const [snapshot, ...events] = client.received.filter(({ type }) => type !== 'heartbeat');
    expect(snapshot?.job?.id).toBe(id);
    expect(events.map(({ type }) => type)).toEqual(events.map(() => 'event'));
    expect(events.map(({ event, step }) => [event, step].join(' '))).toEqual(
      expect.arrayContaining([
        ...['job.pending ', 'job.started ', 'step.completed first', 'step.retrying flaky', 'step.started flaky'],
        ...['step.completed flaky', 'step.completed last', 'job.completed '],
      ]),
    );
    expect(events.find(({ event }) => event === 'step.retrying')).toMatchObject({
      ...{ step: 'flaky', status: 'retrying', retry_count: 1, next_delay_ms: 200 },
      next_retry_at: expect.stringMatching(/Z$/) as string,
    });
    expect(seqsOf(client)).toEqual(oneTo(events.length));
    const stored = await jobNow(id);
    expect(events.at(-1)?.version).toBe(stored.version);
    expect(fold(client.received)).toEqual({
      status: 'completed',
      steps: { first: 'completed', flaky: 'completed', last: 'completed' },
    });
  });

  it('ends with what is stored, for many jobs with parallel branches at once', async () => {
    const jobs = await Promise.all(Array.from({ length: 40 }, () => submit({ pipeline: 'diamond' })));
    const clients = jobs.map(({ id }) => watch(id));
    for (const [index, client] of clients.entries()) {
      expect(await client.closeCode()).toBe(1000);
      const stored = await jobNow(jobs[index]?.id ?? '');
      expect(fold(client.received)).toEqual({
        status: stored.status,
        steps: Object.fromEntries(stored.steps.map((step) => [step.name, step.status])),
      });
      expect(seqsOf(client)).toEqual(oneTo(seqsOf(client).length));
    }
  });

  it('closes with 1008 for an id that no job has', async () => {
    expect(await watch(uuidv7()).closeCode()).toBe(1008);
    expect(await watch('nonsense').closeCode()).toBe(1008);
  });

  it('shows all jobs to who asks for all', async () => {
    const client = await new SocketClient(port(), '/v1/ingest/ws').opened();
    client.say({ action: 'subscribe', all: true });
    const ends = (): string[] =>
      client.received
        .filter(({ job, event }) => (job ? isEnded(job.status) : event === 'job.completed'))
        .map(({ job, job_id }) => job?.id ?? job_id ?? '');
    // The first ones may be over before the subscription is in force.
    await until(async () => {
      await submit({ pipeline: 'chain' });
      return ends().length > 0;
    });
    const jobs = await Promise.all(Array.from({ length: 30 }, () => submit({ pipeline: 'diamond' })));
    await until(() => jobs.every(({ id }) => ends().includes(id)), { what: 'the end of every job' });
    for (const { id } of jobs) {
      const [first] = client.received.filter(({ job, job_id }) => job?.id === id || job_id === id);
      expect(first?.type).toBe('snapshot');
    }
    client.ws.close();
  });
});

describe('the socket of a job that is held', () => {
  const spoken = (client: SocketClient): Received[] => client.received.filter(({ type }) => type !== 'heartbeat');
  const jobEvents = (client: SocketClient): string[] =>
    client.received.flatMap(({ event }) => (event?.startsWith('job.') ? [event] : []));
  const reschedule = (id: string, start: object): Promise<Response> =>
    fetch(`${stack.url}/v1/ingest/${id}/reschedule`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify(start),
    });

  it('tells each new time, and stays open until it has run', async () => {
    const { id } = await submit({ pipeline: 'chain', countdown: 3_600, steps: ['first'] });
    const client = watch(id);
    await client.messages(1);
    const { eta } = (await (await reschedule(id, { countdown: 0.5 })).json()) as JobView;
    expect(await client.closeCode()).toBe(1000);
    const [snapshot, ...events] = spoken(client);
    expect(snapshot).toMatchObject({ type: 'snapshot', job: { status: 'scheduled', version: 1 } });
    expect(events[0]).toMatchObject({ event: 'job.scheduled', job_status: 'scheduled', eta, version: 2 });
    expect(jobEvents(client)).toEqual(['job.scheduled', 'job.pending', 'job.started', 'job.completed']);
    expect(seqsOf(client)).toEqual(oneTo(events.length));
    const stored = await jobNow(id);
    expect(events.at(-1)?.version).toBe(stored.version);
    expect(Date.parse(stored.queued_at ?? '')).toBeGreaterThanOrEqual(Date.parse(eta ?? ''));
  });

  it('tells that it waits, for one job less, and that it begins: nothing is missed, no snapshot is needed', async () => {
    const needed = await Promise.all(
      [1, 2].map(() => submit({ pipeline: 'chain', steps: ['first'], countdown: 3_600 })),
    );
    const ids = needed.map((job) => job.id);
    const job = await submit({ pipeline: 'chain', steps: ['first'], countdown: 0.5, depends_on: ids });
    const client = watch(job.id);
    await client.messages(1);
    await until(() => jobEvents(client).length === 1);
    for (const [index, id] of ids.entries()) {
      await reschedule(id, { countdown: 0 });
      await until(() => jobEvents(client).length > index + 1);
    }
    expect(await client.closeCode()).toBe(1000);
    expect(jobEvents(client)).toEqual([
      ...['job.waiting', 'job.waiting', 'job.pending', 'job.started', 'job.completed'],
    ]);
    const [, ...events] = spoken(client);
    expect(events.map(({ type }) => type)).toEqual(events.map(() => 'event'));
    const versions = [...new Set(events.map(({ version }) => version))];
    expect(versions).toEqual(oneTo((await jobNow(job.id)).version).slice(1));
  });

  it('tells that it has failed, and for which job', async () => {
    const broken = await submit({ pipeline: 'broken', countdown: 3_600 });
    const job = await submit({ pipeline: 'diamond', depends_on: [broken.id] });
    const client = watch(job.id);
    expect((await client.messages(1))[0]?.job?.status).toBe('waiting');
    await reschedule(broken.id, { countdown: 0 });
    expect(await client.closeCode()).toBe(1000);
    expect(fold(client.received)).toEqual({
      status: 'failed',
      steps: { top: 'skipped', left: 'skipped', right: 'skipped', bottom: 'skipped' },
    });
    expect(client.received.at(-1)).toMatchObject({
      event: 'job.failed',
      last_error: { code: 'dependency_failed', message: expect.stringContaining(broken.id) as string },
    });
  });
});

describe('when a server goes away while a job runs', () => {
  it('NATS: the socket stays, begins anew with a snapshot, and tells the end', async () => {
    const { id } = await submit({ pipeline: 'slow' });
    const client = watch(id);
    await client.messages(1);
    await stack.nats.kill();
    await stack.nats.start();
    expect(await client.closeCode()).toBe(1000);
    expect(client.received.filter(({ type }) => type === 'snapshot').length).toBeGreaterThan(1);
    expect(fold(client.received)).toEqual({ status: 'completed', steps: { only: 'completed' } });
  });

  it('Postgres: the socket stays and tells the end', async () => {
    const { id } = await submit({ pipeline: 'slow' });
    const client = watch(id);
    await client.messages(1);
    await stack.postgres.stopImmediately();
    const late = watch(id);
    expect(await late.closeCode()).toBe(1013);
    await stack.postgres.start();
    expect(await client.closeCode()).toBe(1000);
    expect(fold(client.received).status).toBe('completed');
  }, 90_000);

  it('the gateway: its clients are told', async () => {
    const { id } = await submit({ pipeline: 'slow' });
    const client = watch(id);
    await client.messages(1);
    const exit = await stack.gateway.stop();
    expect(await client.closeCode()).toBe(1001);
    expect(exit).toMatchObject({ code: 0 });
    await stack.gateway.start();
    const again = watch(id);
    expect(await again.closeCode()).toBe(1000);
  }, 60_000);
});
