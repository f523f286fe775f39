import type { WebSocket } from 'ws';
import type { JobView } from '#shared/contracts/job';
import { FakeGateway } from './fake-gateway';
import { COMPLETED, JOB_ID, sampleJob, sampleStep } from './sample-job';
import { NOW, sluice } from './terminal';

const [UP1, UP2] = ['0190a4c2-0000-7000-8000-000000000001', '0190a4c2-0000-7000-8000-000000000002'];
const SOON = '2030-01-31T12:03:30.000Z';
const SCHEDULED = sampleJob({ status: 'scheduled', eta: SOON });
const NEEDS = { depends_on: [UP1, UP2], on_dependency_failure: 'fail' as const };
const WAITING = sampleJob({ status: 'waiting', ...NEEDS });
const LOST = sampleJob({
  ...{ status: 'failed', ...NEEDS },
  steps: [sampleStep({ status: 'skipped' })],
  last_error: {
    message: `job ${UP2}, which it depends on, failed`,
    ...{ kind: 'permanent', code: 'dependency_failed', at: '2030-01-31T12:00:05.000Z', attempt: 0 },
  },
});

let gateway: FakeGateway;
let job: JobView;
beforeEach(async () => {
  gateway = await FakeGateway.start();
  job = SCHEDULED;
  gateway.answers = ({ path }) =>
    path.startsWith('/v1/ingest?') ? { body: { items: [job], next_cursor: null, has_more: false } } : { body: job };
});
afterEach(() => gateway.stop());

const ingest = (...line: string[]) => sluice(gateway.url, ['ingest', ...line]);
const two = (value: number): string => String(value).padStart(2, '0');
/** As the tests' own time zone has it. */
function local(time: string): string {
  const at = new Date(time);
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}
const IN_WORDS = `starts in 3 min 20 s, at ${local(SOON)}`;
const AFTER = `2 jobs: ${UP1}, ${UP2}`;

describe('what starts later says when', () => {
  test('after start', async () => {
    expect((await ingest('start', '.')).err).toBe(
      `Accepted. It ${IN_WORDS}. To see it go: sluice ingest status ${JOB_ID} --watch\n`,
    );
  });

  test('after start, of a job that needs others', async () => {
    job = WAITING;
    expect((await ingest('start', '.')).err).toContain(`Accepted. It starts after the completion of ${AFTER}. To see`);
    job = { ...WAITING, on_dependency_failure: 'run' };
    expect((await ingest('start', '.')).err).toContain(`It starts after the end of ${AFTER}.`);
    job = sampleJob({ status: 'scheduled', eta: SOON, ...NEEDS });
    expect((await ingest('start', '.')).err).toContain(`It ${IN_WORDS}, and not before the completion of ${AFTER}.`);
  });

  test('in its status', async () => {
    job = sampleJob({ status: 'scheduled', eta: SOON, ...NEEDS, on_dependency_failure: 'run' });
    const { out } = await ingest('status', JOB_ID);
    expect(out).toMatch(new RegExp(`^Starts +in 3 min 20 s, at ${local(SOON)}$`, 'm'));
    expect(out).toMatch(new RegExp(`^After +${AFTER} \\(also when one fails or is cancelled\\)$`, 'm'));
  });

  test('in its status, with those of the jobs that it needs that are not completed', async () => {
    gateway.answers = ({ path }) => {
      if (path.endsWith(UP1)) return { body: { ...COMPLETED, id: UP1 } };
      return { body: path.endsWith(UP2) ? sampleJob({ id: UP2, status: 'running', progress: 40 }) : WAITING };
    };
    expect((await ingest('status', JOB_ID)).err).toBe(`Not completed yet: ${UP2} (running, 40 %)\n`);
    expect((await ingest('status', JOB_ID, '-o', 'json')).err).toBe('');
  });

  test('whose time has come, and which nobody has started yet', async () => {
    const eta = '2030-01-31T12:00:00.000Z';
    job = sampleJob({ status: 'scheduled', eta });
    expect((await ingest('status', JOB_ID)).out).toMatch(new RegExp(`^Starts +now: it was due at ${local(eta)}$`, 'm'));
  });

  test.each([
    [SCHEDULED, 'in 3m 20s'],
    [WAITING, 'after 2 jobs'],
  ])('in the list', async (one, expected) => {
    job = one;
    const row = (await ingest('jobs')).out.split('\n')[1]?.split(/ {2,}/);
    expect(row?.slice(2, 6)).toEqual([job.status, '0 %', '0/6', expected]);
  });

  test('as many ids as one can read', async () => {
    job = { ...WAITING, depends_on: Array.from({ length: 12 }, () => UP1) };
    expect((await ingest('status', JOB_ID)).out).toMatch(new RegExp(`12 jobs: (${UP1}, ){9}${UP1} and 2 more$`, 'm'));
  });
});

describe('a start after other jobs', () => {
  test.each([
    [['--depends-on', ''], /found none/],
    [['--depends-on', ' , '], /found none/],
    [['--on-dependency-failure', 'run'], /--on-dependency-failure needs --depends-on/],
  ])('that names none is refused, and nothing is submitted: %j', async (line, words) => {
    const { code, err } = await ingest('start', '.', ...line);
    expect(code).toBe(2);
    expect(err).toMatch(words);
    expect(gateway.calls).toEqual([]);
  });
});

describe('the list of what is scheduled', () => {
  test.each<[string[], string]>([
    [['--status', 'scheduled'], '?status=scheduled&sort=eta&limit=50'],
    [['--status', 'scheduled,waiting'], '?status=scheduled&status=waiting&limit=50'],
    [['--status', 'scheduled', '--sort', '-created_at'], '?status=scheduled&sort=-created_at&limit=50'],
    [['--sort', 'eta'], '?sort=eta&limit=50'],
    [[], '?limit=50'],
  ])('%j', async (line, query) => {
    await ingest('jobs', ...line);
    expect(gateway.calls[0]?.path).toBe(`/v1/ingest${query}`);
  });
});

describe('reschedule', () => {
  test.each<[string[], object]>([
    [['--now'], { countdown: 0 }],
    [['--countdown', '0.5'], { countdown: 0.5 }],
    [['--eta', '2030-01-31T18:30:00+02:00'], { eta: '2030-01-31T16:30:00.000Z' }],
    [['--eta', '1893456000'], { eta: 1_893_456_000 }],
  ])('%j', async (line, body) => {
    const { code, out, err } = await ingest('reschedule', JOB_ID, ...line);
    expect(gateway.calls.map((call) => [call.method, call.path, call.body])).toEqual([
      ['POST', `/v1/ingest/${JOB_ID}/reschedule`, body],
    ]);
    expect([code, err]).toEqual([0, `It ${IN_WORDS}. To see it go: sluice ingest status ${JOB_ID} --watch\n`]);
    expect(out).toMatch(/^Status +scheduled/m);
  });

  test('says that it starts', async () => {
    job = sampleJob({ eta: '2030-01-31T12:00:10.000Z' });
    expect((await ingest('reschedule', JOB_ID, '--now')).err).toMatch(/^It starts\. To see it go/);
  });

  test('--wait ends as the job does', async () => {
    job = sampleJob();
    gateway.onSocket = (socket) => {
      socket.send(JSON.stringify({ type: 'snapshot', job: { ...COMPLETED, status: 'failed' } }));
      socket.close(1000);
    };
    expect((await ingest('reschedule', JOB_ID, '--now', '--wait')).code).toBe(5);
  });

  test.each<[string[], string]>([
    [[], 'one of --now, --eta and --countdown'],
    [['--now', '--countdown', '5'], 'one of --now, --eta and --countdown'],
    [['--eta', '2030-01-31', '--countdown', '5'], 'one of --now, --eta and --countdown'],
    [['--countdown', '-1'], 'Expected a number from 0'],
    [['--eta', '1893456000000'], 'can only be milliseconds'],
    [['--now', '--timeout', '5'], '--timeout needs --wait or --follow'],
  ])('%j is a usage error', async (line, message) => {
    const { code, out, err } = await ingest('reschedule', JOB_ID, ...line);
    expect([code, out, err]).toEqual([2, '', expect.stringContaining(message) as string]);
    expect(gateway.calls).toHaveLength(0);
  });

  test.each([
    [409, 1],
    [404, 4],
  ])('a %d ends with %d, in the words of the gateway', async (status, expected) => {
    const body = { type: 'about:blank', title: 'No.', status, detail: 'The job is running: it has started already.' };
    gateway.answers = () => ({ status, body });
    const { code, err } = await ingest('reschedule', JOB_ID, '--now');
    expect([code, err]).toEqual([expected, 'error: No: The job is running: it has started already.\n']);
  });
});

describe('a job that could not begin since it needs another', () => {
  beforeEach(() => (job = LOST));

  test('says which one to retry', async () => {
    const { out, err } = await ingest('status', JOB_ID);
    expect(out).toMatch(new RegExp(`^Error +permanent: job ${UP2}, which it depends on, failed`, 'm'));
    expect(err).toContain(`sluice ingest status ${UP2}\n`);
    expect(err).toContain(`sluice ingest retry ${UP2}\n`);
    expect(err).not.toContain(JOB_ID);
  });

  test('is listed with its error', async () => {
    expect((await ingest('jobs')).out).toContain(`  permanent: job ${UP2}, which it depends on`);
  });

  test('retried, says what it waits for', async () => {
    job = WAITING;
    expect((await ingest('retry', JOB_ID)).err).toContain(`It starts after the completion of ${AFTER}.`);
  });
});

describe('watched', () => {
  const send = (socket: WebSocket, message: object): void => socket.send(JSON.stringify(message));
  const event = (socket: WebSocket, name: string, more: object = {}): void =>
    send(socket, { type: 'event', event: name, job_id: JOB_ID, seq: 1, version: 2, at: SOON, ...more });
  const end = (socket: WebSocket): void => {
    send(socket, { type: 'snapshot', job: COMPLETED });
    socket.close(1000);
  };

  test('tells line by line what it waits for, where there is no terminal', async () => {
    gateway.onSocket = (socket) => {
      send(socket, { type: 'snapshot', job: SCHEDULED });
      event(socket, 'job.scheduled', { job_status: 'scheduled', eta: '2030-01-31T12:00:15.000Z' });
      event(socket, 'job.waiting', { job_status: 'waiting' });
      send(socket, { type: 'snapshot', job: WAITING });
      event(socket, 'job.pending', { job_status: 'pending' });
      end(socket);
    };
    const { code, err } = await ingest('start', '.', '--follow');
    expect(code).toBe(0);
    const lines = err.trimEnd().split('\n');
    expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d {2}/, ''))).toEqual([
      `Job ${JOB_ID} is scheduled: it ${IN_WORDS}.`,
      `repository scheduled, ${IN_WORDS}`,
      `job.scheduled   starts in 5 s, at ${local('2030-01-31T12:00:15.000Z')}`,
      'job.waiting',
      `repository waiting, starts after the completion of ${AFTER}`,
      'job.pending',
      'repository completed 100 %',
    ]);
  });

  test('counts down above the bars on a terminal, follows another time, and then runs', async () => {
    let nowMs = NOW;
    let watched: WebSocket | undefined;
    gateway.onSocket = (socket) => {
      watched = socket;
      send(socket, { type: 'snapshot', job: SCHEDULED });
    };
    const seen: string[] = [];
    const onErr = (text: string): void => {
      const head = [...text.matchAll(/scheduled {2}starts [^,]*|running(?=\W\[)/g)].at(-1);
      const words = head?.[0];
      if (!watched || words === undefined || words === seen.at(-1)) return;
      seen.push(words);
      if (words.endsWith('20 s')) nowMs += 100_000;
      if (words.endsWith('40 s')) {
        event(watched, 'job.scheduled', { job_status: 'scheduled', eta: new Date(nowMs + 2_000).toISOString() });
      }
      if (words.endsWith(' 2 s')) nowMs += 1_000;
      if (words.endsWith(' 1 s')) event(watched, 'job.started', { job_status: 'running' });
      if (words === 'running') end(watched);
    };
    const { code, err } = await sluice(gateway.url, ['ingest', 'status', JOB_ID, '--watch'], {
      ...{ tty: true, columns: 120, env: { NO_COLOR: '1' }, onErr, now: () => nowMs },
    });
    expect(code).toBe(0);
    expect(seen).toEqual([
      ...['scheduled  starts in 3 min 20 s', 'scheduled  starts in 1 min 40 s', 'scheduled  starts in 2 s'],
      ...['scheduled  starts in 1 s', 'running'],
    ]);
    expect(err).toMatch(/completed[\s\S]*filesystem.*█{24} 100 %/);
  });

  test('a line that is too long for the terminal is cut', async () => {
    gateway.onSocket = (socket) => {
      send(socket, { type: 'snapshot', job: WAITING });
      end(socket);
    };
    const { err } = await sluice(gateway.url, ['ingest', 'status', JOB_ID, '--watch'], {
      ...{ tty: true, columns: 60, env: { NO_COLOR: '1' } },
    });
    expect(err).not.toContain(UP2);
  });
});
