import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AttemptView, JobView } from '#shared/contracts/job';
import { SHORT_TIMES } from '../faults/oracle';
import { until } from '../support/poll';
import { isAlive, pidsNaming, untilGone } from '../support/processes';
import { TestStack } from '../support/stack';

const TOKEN = 'tok-3f9a8b7c6d5e';

interface Call {
  readonly path: string;
  readonly atMs: number;
  readonly key: string | undefined;
  readonly auth: string | undefined;
  readonly body: { job_id: string; attempt: number; input: object; outputs: object; body: unknown };
}

let calls: Call[] = [];
let server: Server;
let stack: TestStack;

/** Answers by path: `/flaky` fails twice for each job, `/later` once with Retry-After, `/no` for ever, `/list` never. */
async function startServer(): Promise<string> {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Call['body'];
      const key = headers['idempotency-key'] as string | undefined;
      calls.push({ path, atMs: performance.now(), key, auth: headers.authorization, body });
      const count = calls.filter((call) => call.key === key).length;
      const status =
        path === '/no' ? 400 : (path === '/flaky' && count <= 2) || (path === '/later' && count === 1) ? 503 : 200;
      const retryAfter = path === '/later' && status === 503 ? { 'retry-after': '3' } : {};
      response.writeHead(status, { 'content-type': 'application/json', ...retryAfter });
      response.end(JSON.stringify(path === '/list' ? [1, 'two', headers.authorization] : { call: count }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const pipelinesFor = (url: string): string => `
retry: { max_retries: 2, back_off_seconds: 0.1 }
pipelines:
  flaky: { steps: [{ name: before, uses: noop, options: { output: { n: 1 } } },
    { name: call, uses: http, options: { url: "${url}/flaky" } }, { name: after, uses: noop }] }
  flaky1: { steps: [{ name: before, uses: noop },
    { name: call, uses: http, max_retries: 1, options: { url: "${url}/flaky" } }, { name: after, uses: noop }] }
  later: { steps: [{ name: call, uses: http, options: { url: "${url}/later" } }] }
  refused: { steps: [{ name: call, uses: http, options: { url: "${url}/no" } }, { name: after, uses: noop }] }
  lists:
    steps:
      - { name: list, uses: http, options: { url: "${url}/list", headers: { authorization: { secret: HOOK_TOKEN } } } }
      - { name: read, uses: command, options: { command: [cat] } }
      - { name: call, uses: http, isolation: process, options: { url: "${url}/ok", headers: { authorization: { secret: HOOK_TOKEN } } } }
  secretless: { steps: [{ name: call, uses: http, options: { url: "${url}/ok", headers: { a: { secret: NOT_SET } } } }] }
  slow:
    steps: [{ name: only, uses: command, timeout: 1500ms, max_retries: 0,
      options: { command: [sh, -c, 'trap "" TERM; sleep 1000 & echo "::progress 5 $$ $!"; sleep 1000; sleep 1000'] } }]
  deaf:
    steps: [{ name: only, uses: command,
      options: { command: [sh, -c, 'trap "" TERM; sleep 1000 & echo "::progress 5 $$ $!"; sleep 1000; sleep 1000'] } }]
  blocked: { steps: [{ name: only, uses: noop, isolation: process, timeout: 1500ms, max_retries: 0, options: { duration_ms: 3600000 } }] }
  fails: { steps: [{ name: only, uses: command, max_retries: 1, options: { command: [sh, -c, 'echo no luck >&2; exit 3'] } }] }
`;

beforeAll(async () => {
  const pipelines = pipelinesFor(await startServer());
  stack = await TestStack.start({ pipelines, env: { ...SHORT_TIMES, SLUICE_GRACE: '1s', HOOK_TOKEN: TOKEN } });
}, 60_000);

afterAll(async () => {
  await stack.stop();
  server.closeAllConnections();
  server.close();
}, 60_000);

beforeEach(() => (calls = []));

async function post(path: string, body: object): Promise<{ status: number; json: unknown }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${stack.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, json: await response.json() };
}

const get = async <T>(path: string): Promise<T> => (await (await fetch(`${stack.url}${path}`)).json()) as T;

async function submit(pipeline: string, more: object = {}): Promise<string> {
  const { status, json } = await post('/v1/ingest', { pipeline, ...more });
  expect(status).toBe(202);
  return (json as JobView).id;
}

async function ended(id: string, deadlineMs = 20_000): Promise<JobView> {
  const job = async (): Promise<JobView | false> => {
    const view = await get<JobView>(`/v1/ingest/${id}`);
    return ['completed', 'failed', 'cancelled'].includes(view.status) && view;
  };
  return until(job, { deadlineMs, everyMs: 50, what: 'the end of the job' });
}

async function attemptsOf(id: string, step: string): Promise<AttemptView[]> {
  const { items } = await get<{ items: AttemptView[] }>(`/v1/ingest/${id}/attempts`);
  return items.filter((attempt) => attempt.step === step);
}

const statusOf = (job: JobView): Record<string, string> =>
  Object.fromEntries(job.steps.map((step) => [step.name, step.status]));

const stepOf = (job: JobView, name: string): JobView['steps'][number] => {
  const step = job.steps.find((each) => each.name === name);
  if (!step) throw new Error(`the job has no step ${name}`);
  return step;
};

describe('a step that calls a server', () => {
  it('is tried again until it is answered: 503 twice, then 200, with two retries', async () => {
    const job = await ended(await submit('flaky', { input: { a: 1 }, options: { call: { body: { from: 'job' } } } }));
    expect([job.status, job.retry_count, stepOf(job, 'call').output]).toEqual(['completed', 2, { call: 3 }]);
    expect(stepOf(job, 'call').last_error).toMatchObject({
      ...{ kind: 'transient', code: 'http_503', attempt: 2 },
      message: expect.stringMatching(/^POST http:\/\/127\.0\.0\.1:\d+\/flaky answered 503: \{"call":2\}$/) as string,
    });
    const attempts = await attemptsOf(job.id, 'call');
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'completed']);
    expect(calls.map(({ key, body }) => [key, body.attempt])).toEqual([1, 2, 3].map((n) => [`${job.id}:call`, n]));
    expect(calls[0]?.body).toEqual({
      ...{ job_id: job.id, step: 'call', attempt: 1, idempotency_key: `${job.id}:call` },
      ...{ input: { a: 1 }, outputs: { before: { n: 1 } }, body: { from: 'job' } },
    });
  }, 40_000);

  it('fails when its retries are used up, and what needs it is skipped', async () => {
    const job = await ended(await submit('flaky1'));
    expect([job.status, job.retry_count, calls.length]).toEqual(['failed', 1, 2]);
    expect(statusOf(job)).toEqual({ before: 'completed', call: 'failed', after: 'skipped' });
  }, 40_000);

  it('waits as long as Retry-After asks, though its own delay is shorter', async () => {
    const job = await ended(await submit('later'));
    expect([job.status, job.retry_count]).toEqual(['completed', 1]);
    expect(((calls[1]?.atMs ?? 0) - (calls[0]?.atMs ?? 0)) / 1_000).toBeGreaterThanOrEqual(2.9);
    expect((await attemptsOf(job.id, 'call'))[0]?.next_delay_ms).toBe(3_000);
  }, 40_000);

  it('is not tried again when it is refused', async () => {
    const job = await ended(await submit('refused'));
    expect([job.status, job.retry_count, calls.length]).toEqual(['failed', 0, 1]);
    expect(job.last_error).toMatchObject({ kind: 'permanent', code: 'http_400' });
    expect(statusOf(job)).toEqual({ call: 'failed', after: 'skipped' });
  }, 40_000);

  it.each(['url', 'method', 'headers'])('cannot be told its %s by a job', async (option) => {
    const { status, json } = await post('/v1/ingest', { pipeline: 'flaky', options: { call: { [option]: 'x' } } });
    expect([status, json]).toMatchObject([422, { errors: [{ path: `options.call.${option}` }] }]);
  });

  it('fails for good without its secret, and says which variable to set', async () => {
    const job = await ended(await submit('secretless'));
    expect([job.status, job.last_error?.code, calls]).toEqual(['failed', 'secret_missing', []]);
    expect(job.last_error?.message).toContain('set the environment variable NOT_SET on this worker');
  }, 40_000);
});

describe('outputs and secrets', () => {
  it('any JSON is an output, handed to the next steps; a secret reaches the server and nothing else', async () => {
    const job = await ended(await submit('lists'));
    expect(job.status).toBe('completed');
    expect(stepOf(job, 'list').output).toEqual([1, 'two', '***']);
    expect(stepOf(job, 'read').output).toMatchObject({ step: 'read', outputs: { list: [1, 'two', '***'] } });
    expect(calls.map(({ path, auth }) => [path, auth])).toEqual([
      ['/list', TOKEN],
      ['/ok', TOKEN],
    ]);
    const dump = await stack.query<{ text: string }>(
      `SELECT (SELECT json_agg(s)::text FROM steps s) || (SELECT json_agg(j)::text FROM jobs j)
         || (SELECT json_agg(a)::text FROM attempts a) || (SELECT json_agg(p)::text FROM pipelines p) AS text`,
    );
    expect(dump[0]?.text).toContain('HOOK_TOKEN');
    expect(dump[0]?.text).not.toContain(TOKEN);
    const said = [...stack.workers, stack.gateway, stack.scheduler].flatMap(({ lines }) => lines).join('\n');
    expect(said).not.toContain(TOKEN);
  }, 40_000);
});

describe('a step that runs a program', () => {
  it('is gone with all its tree when it is out of time, though it ignores SIGTERM', async () => {
    const id = await submit('slow');
    const pids = await until(async () => {
      const { message } = stepOf(await get<JobView>(`/v1/ingest/${id}`), 'only');
      return message !== null && message.split(' ').map(Number);
    });
    expect(await Promise.all(pids.map(isAlive))).toEqual([true, true]);
    const job = await ended(id);
    expect([job.status, job.last_error?.kind]).toEqual(['failed', 'timeout']);
    expect(await Promise.all(pids.map(isAlive))).toEqual([false, false]);
    const [attempt] = await attemptsOf(id, 'only');
    expect(attempt?.outcome).toBe('timeout');
    // Its own figures: it did nothing but sleep, while a Node process would hold tens of megabytes.
    expect(attempt?.memory_mb).toBeGreaterThan(0);
    expect(attempt?.memory_mb).toBeLessThan(20);
    expect(attempt?.cpu_percent).toBeLessThan(20);
  }, 40_000);

  it('says how it failed and what it said last; its lines are the log of the attempt', async () => {
    const job = await ended(await submit('fails'));
    expect([job.status, job.retry_count]).toEqual(['failed', 1]);
    expect(job.last_error).toMatchObject({ code: 'exit_3', message: 'sh ended with exit code 3: no luck' });
    const lines = await until(async () => {
      const { items } = await get<{ items: { message: string }[] }>(`/v1/ingest/${job.id}/logs`);
      return items.length === 2 && items;
    });
    expect(lines.map(({ message }) => message)).toEqual(['no luck', 'no luck']);
  }, 40_000);
});

describe('a step that runs a program, on a worker that is told to end', () => {
  it('is handed back, its program gone, no attempt burnt, and the worker exits with 0', async () => {
    const id = await submit('deaf');
    const pids = await until(async () => {
      const { message } = stepOf(await get<JobView>(`/v1/ingest/${id}`), 'only');
      return message !== null && message.split(' ').map(Number);
    });
    const [drained] = stack.workers;
    await stack.addWorker();
    expect(await drained?.stop()).toMatchObject({ code: 0 });
    expect(await Promise.all(pids.map(isAlive))).toEqual([false, false]);
    const again = async (): Promise<boolean> => {
      const { message } = stepOf(await get<JobView>(`/v1/ingest/${id}`), 'only');
      return message !== null && message !== pids.join(' ');
    };
    await until(again, { what: 'another worker at it' });
    expect(await attemptsOf(id, 'only')).toMatchObject([{ number: 1, outcome: null }]);
    expect(stepOf(await get<JobView>(`/v1/ingest/${id}`), 'only')).toMatchObject({ attempt: 1, retry_count: 0 });
  }, 40_000);
});

describe('a step in a process of its own', () => {
  it('is killed when it is out of time, and has figures of its own', async () => {
    const id = await submit('blocked');
    const [running] = await until(async () => {
      const found = await pidsNaming(id);
      return found.length > 0 && found;
    });
    const job = await ended(id);
    expect([job.status, job.last_error?.kind]).toEqual(['failed', 'timeout']);
    await untilGone([Number(running)], 1_000);
    const [attempt] = await attemptsOf(id, 'only');
    expect(attempt?.memory_mb).toBeGreaterThan(20);
    expect(attempt?.cpu_percent).toBeGreaterThan(0);
  }, 40_000);
});
