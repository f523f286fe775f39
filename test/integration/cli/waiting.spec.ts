import type { WebSocket } from 'ws';
import type { JobView } from '#shared/contracts/job';
import { FakeGateway } from './fake-gateway';
import { CANCELLED, COMPLETED, FAILED, JOB_ID, RETRYING, sampleJob } from './sample-job';
import { NOW, sluice } from './terminal';

let gateway: FakeGateway;
/** The job as GET answers it; null: a 503. */
let stored: JobView | null;

beforeEach(async () => {
  gateway = await FakeGateway.start();
  stored = sampleJob();
  gateway.answers = ({ method, path }) => {
    if (method === 'POST') return { status: 202, body: sampleJob() };
    if (path !== `/v1/ingest/${JOB_ID}`) return undefined;
    return stored ? { body: stored } : { status: 503, body: { type: 'about:blank', title: 'Later.', status: 503 } };
  };
});
afterEach(() => gateway.stop());

const snapshot = (socket: WebSocket, job: JobView): void => socket.send(JSON.stringify({ type: 'snapshot', job }));
const event = (socket: WebSocket, name: string, more: object = {}): void =>
  socket.send(
    JSON.stringify({
      type: 'event',
      event: name,
      job_id: JOB_ID,
      seq: 1,
      version: 2,
      at: '2030-01-31T12:00:05.000Z',
      ...more,
    }),
  );

const wait = (...line: string[]) => sluice(gateway.url, ['ingest', 'start', '.', '--wait', '-o', 'jsonl', ...line]);

test.each<[string, JobView, number]>([
  ['completed', COMPLETED, 0],
  ['failed', FAILED, 5],
  ['cancelled', CANCELLED, 6],
])('a job that ends %s', async (status, job, expected) => {
  gateway.onSocket = (socket) => {
    snapshot(socket, sampleJob());
    stored = job;
    event(socket, `job.${status}`, { job_status: status });
    socket.close(1000);
  };
  const { code, out } = await wait();
  expect(code).toBe(expected);
  expect(JSON.parse(out)).toMatchObject({ status });
});

test('a job that had ended before it was asked for', async () => {
  gateway.onSocket = (socket) => {
    snapshot(socket, FAILED);
    socket.close(1000);
  };
  expect((await wait()).code).toBe(5);
});

test('the socket is asked for with the key', async () => {
  const keys: unknown[] = [];
  gateway.onSocket = (socket, _, headers) => {
    keys.push(headers.authorization);
    snapshot(socket, COMPLETED);
    socket.close(1000);
  };
  await sluice(gateway.url, ['ingest', 'start', '.', '--wait'], { env: { SLUICE_API_KEY: 'k' } });
  expect(keys).toEqual(['Bearer k']);
});

test('cut off, it comes back and begins with a new snapshot', async () => {
  gateway.onSocket = (socket, before) => {
    if (before === 0) {
      snapshot(socket, sampleJob());
      socket.terminate();
      return;
    }
    snapshot(socket, COMPLETED);
    socket.close(1000);
  };
  const { code, err } = await wait();
  expect([code, gateway.socketsSoFar]).toEqual([0, 2]);
  expect(err).toContain('The live connection is gone; asking instead until it is back.');
});

test('without a socket it asks until the job has ended', async () => {
  gateway.refuseSocketsWith = 502;
  const { answers } = gateway;
  gateway.answers = (call) => {
    const asked = gateway.calls.filter(({ method }) => method === 'GET').length;
    if (asked === 2) stored = COMPLETED;
    return answers(call);
  };
  expect((await wait()).code).toBe(0);
});

test('a gateway that is away for a moment is waited for', async () => {
  stored = null;
  gateway.onSocket = (socket, before) => {
    if (before === 0) return socket.close(1001);
    snapshot(socket, COMPLETED);
    socket.close(1000);
  };
  expect((await wait()).code).toBe(0);
  expect(gateway.socketsSoFar).toBe(2);
});

test('a job that is gone ends the wait with 4', async () => {
  gateway.onSocket = (socket) => socket.close(1008);
  gateway.answers = ({ method }) => (method === 'POST' ? { status: 202, body: sampleJob() } : undefined);
  expect((await wait()).code).toBe(4);
});

test('--timeout ends with 7, and with the job as it was last seen', async () => {
  gateway.onSocket = (socket) => snapshot(socket, RETRYING);
  const { code, out, err } = await wait('--timeout', '0.3');
  expect(code).toBe(7);
  expect(JSON.parse(out)).toMatchObject({ status: 'running', progress: 55 });
  expect(err).toContain('error: The job has not ended within 0.3 s. It goes on');
});

test('--timeout holds while the gateway does not answer, too', async () => {
  gateway.refuseSocketsWith = 502;
  stored = null;
  expect((await wait('--timeout', '0.2')).code).toBe(7);
});

test('an interruption ends with 130, and says that the job goes on', async () => {
  const interruption = new AbortController();
  gateway.onSocket = (socket) => {
    snapshot(socket, RETRYING);
    interruption.abort();
  };
  const line = ['ingest', 'start', '.', '--wait'];
  const { code, out, err } = await sluice(gateway.url, line, { signal: interruption.signal });
  expect([code, out]).toEqual([130, '']);
  expect(err).toContain(`The job goes on. To see it: sluice ingest status ${JOB_ID} --watch`);
  expect(err).not.toContain('error');
});

describe('--follow', () => {
  const LIFE = (socket: WebSocket): void => {
    snapshot(socket, sampleJob());
    socket.send(JSON.stringify({ type: 'heartbeat' }));
    socket.send(JSON.stringify({ type: 'from the future' }));
    socket.send('no JSON');
    event(socket, 'step.started', { step: 'filesystem', status: 'running', attempt: 1 });
    event(socket, 'step.progress', { step: 'filesystem', progress: 40, message: 'half\u001b[31m way' });
    event(socket, 'step.retrying', {
      step: 'filesystem',
      status: 'retrying',
      retry_count: 1,
      next_retry_at: '2030-01-31T12:00:15.000Z',
      last_error: { message: 'no disk', kind: 'transient', code: null, at: '2030-01-31T12:00:05.000Z', attempt: 1 },
    });
    event(socket, 'step.started', { step: 'filesystem', status: 'running', attempt: 2 });
    event(socket, 'step.completed', { step: 'filesystem', status: 'completed', progress: 100 });
    stored = COMPLETED;
    event(socket, 'job.completed', { job_status: 'completed', progress: 100 });
    socket.close(1000);
  };

  const withoutTimes = (text: string): string[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''));

  test('writes a line for each event where there is no terminal', async () => {
    gateway.onSocket = LIFE;
    const { code, out, err } = await sluice(gateway.url, ['ingest', 'start', '.', '--follow']);
    expect(code).toBe(0);
    expect(withoutTimes(err)).toEqual([
      `Job ${JOB_ID} is pending.`,
      'repository pending 0 %',
      'step.started    filesystem',
      'step.progress   filesystem  40 %  half\\u001b[31m way',
      'step.retrying   filesystem  retry 1 in 5.0s  transient: no disk',
      'step.started    filesystem  attempt 2',
      'step.completed  filesystem  100 %',
      'job.completed   100 %',
      'repository completed 100 %',
    ]);
    expect(out).toContain('completed, 100 %');
  });

  test('-o jsonl streams snapshots and events, then the job', async () => {
    gateway.onSocket = LIFE;
    const { out } = await sluice(gateway.url, ['ingest', 'start', '.', '--follow', '-o', 'jsonl']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type?: string; status?: string });
    expect(lines.map(({ type }) => type)).toEqual([
      'snapshot',
      ...Array<string>(6).fill('event'),
      'snapshot',
      undefined,
    ]);
    expect(lines.at(-1)?.status).toBe('completed');
  });

  test('draws bars on a terminal and leaves the cursor as it was', async () => {
    gateway.onSocket = LIFE;
    const { err, out } = await sluice(gateway.url, ['ingest', 'start', '.', '--follow'], { tty: true });
    expect(err).toMatch(/filesystem.*█{24} 100 %.*completed/);
    expect(err).toContain('\u001b[?25l');
    expect(err.lastIndexOf('\u001b[?25h')).toBeGreaterThan(err.lastIndexOf('\u001b[?25l'));
    expect(out).toContain('\u001b[32mcompleted\u001b[39m');
  });

  test('NO_COLOR leaves the bars and takes the colours', async () => {
    gateway.onSocket = LIFE;
    const { err, out } = await sluice(gateway.url, ['ingest', 'start', '.', '--follow'], {
      tty: true,
      env: { NO_COLOR: '1' },
    });
    expect(`${err}${out}`).not.toContain('\u001b[3');
    expect(err).toContain('█');
  });
});

describe('status --watch', () => {
  test('follows to the end and ends as the job does', async () => {
    gateway.onSocket = (socket) => {
      snapshot(socket, FAILED);
      socket.close(1000);
    };
    const { code, out } = await sluice(gateway.url, ['ingest', 'status', JOB_ID, '--watch', '-o', 'ids']);
    expect([code, out]).toEqual([5, `${JOB_ID}\n`]);
  });

  test('counts down to the next retry while nothing happens', async () => {
    let seconds = 0;
    let socket: WebSocket | undefined;
    gateway.onSocket = (opened) => {
      socket = opened;
      snapshot(opened, RETRYING);
    };
    const seen: string[] = [];
    const end = (): void => {
      if (!socket) return;
      snapshot(socket, COMPLETED);
      socket.close(1000);
    };
    const onErr = (text: string): void => {
      const next = [...text.matchAll(/retrying {3}1\/3 {2}(in \ds|now) /g)].at(-1)?.[1];
      if (next === undefined || next === seen.at(-1)) return;
      seen.push(next);
      // Time goes on by itself; no message comes.
      seconds += 1;
      if (next === 'now') end();
    };
    const { code, err } = await sluice(gateway.url, ['ingest', 'status', JOB_ID, '--watch'], {
      ...{ tty: true, columns: 120, env: { NO_COLOR: '1' }, onErr },
      now: () => NOW + seconds * 1_000,
    });
    expect(code).toBe(0);
    expect(seen).toEqual([...[9, 8, 7, 6, 5, 4, 3, 2, 1].map((left) => `in ${left}s`), 'now']);
    expect(err).toMatch(/in 9s {2}no such host \\u001b\[31mred/);
  });

  test('a wrong id is an error at once', async () => {
    const { code } = await sluice(gateway.url, ['ingest', 'status', 'nope', '--watch']);
    expect([code, gateway.socketsSoFar]).toEqual([4, 0]);
  });
});
