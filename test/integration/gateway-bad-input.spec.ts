import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { type Problem, problem } from '#shared/contracts/job';
import { type Answer, GatewayStage } from './gateway-stage';

let stage: GatewayStage;
const UNKNOWN = '01930000-0000-7000-8000-000000000000';

beforeAll(async () => {
  stage = await GatewayStage.start();
  await mkdir(join(stage.sources, '..', 'outside'));
  await symlink(join(stage.sources, '..', 'outside'), join(stage.sources, 'link'));
  await symlink(join(stage.sources, 'nowhere'), join(stage.sources, 'broken'));
  await symlink(join(stage.sources, 'loop'), join(stage.sources, 'loop'));
  await writeFile(join(stage.sources, 'file'), '');
});

afterAll(async () => {
  expect(await stage.stop()).toBe(true);
});

/** Nothing of the insides: no stack, no path of the code, no SQL, no address. */
function expectProblem(answer: Answer, status: number): Problem {
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const body = problem.strict().parse(answer.body);
  expect(body).toMatchObject({ type: 'about:blank', status });
  expect(JSON.stringify(body)).not.toMatch(/node_modules|\.ts\b|\.js\b|at \/|SELECT|INSERT|127\.0\.0\.1|FST_|zod/i);
  return body;
}
const pathsOf = (body: Problem): string[] => (body.errors ?? []).map((error) => error.path).sort();

describe('a submission is refused with 422', () => {
  it.each<[string, unknown, string[]]>([
    ['an unknown field', { pipeline: 'chain', sauce: 1 }, ['sauce']],
    ['wrong types', { pipeline: 5, tags: 'x', input: [], priority: 1 }, ['input', 'pipeline', 'priority', 'tags']],
    ['a list', [], ['']],
    ['a text', '"text"', ['']],
    ['null', 'null', ['']],
    ['__proto__', '{"pipeline": "chain", "__proto__": {"admin": true}}', ['__proto__']],
    ['__proto__ in disguise', '{"pipeline": "chain", "\\u005f_proto__": {}}', ['__proto__']],
    ['__proto__ in its input', '{"pipeline": "chain", "input": {"__proto__": {}}}', ['input.__proto__']],
    ['an unknown pipeline', { pipeline: 'nope' }, ['pipeline']],
    ['a pipeline called like a property', { pipeline: 'constructor' }, ['pipeline']],
    ['no source, where one is needed', {}, ['source']],
    ['null for a source', { source: null }, ['source']],
    ['a source outside the roots', { source: '/etc' }, ['source']],
    ['a source above the roots', { source: '../outside' }, ['source']],
    ['a source through a link', { source: 'link' }, ['source']],
    ['a source through a broken link', { source: 'broken' }, ['source']],
    ['a source through a loop', { source: 'loop' }, ['source']],
    ['a source that is not there', { source: 'nowhere' }, ['source']],
    ['a file for a source', { source: 'file' }, ['source']],
    ['NUL in a source', { source: 'tree\0' }, ['source']],
    ['a git source', { source: 'https://example.org/x.git' }, ['source']],
    ['a git source by ssh', { source: 'git@example.org:x.git' }, ['source']],
    ['a source of a forbidden scheme', { source: 'file:///etc' }, ['source']],
    ['a source that runs a program', { source: 'ext::sh -c id' }, ['source']],
    ['a folder said to be a git URL', { source: 'tree', source_type: 'git_url' }, ['source']],
    ['a type without a source', { pipeline: 'chain', source_type: 'local_path' }, ['source']],
    ['unknown steps', { pipeline: 'chain', steps: ['a', 'x', 'y'] }, ['steps.1', 'steps.2']],
    ['no steps', { pipeline: 'chain', steps: [] }, ['steps']],
    ['options of an unknown step', { pipeline: 'chain', options: { x: {} } }, ['options.x']],
    ['options of a step left out', { pipeline: 'chain', steps: ['a'], options: { b: {} } }, ['options.b']],
    ['an unknown option', { pipeline: 'chain', options: { a: { speed: 1 } } }, ['options.a.speed']],
    ['an option out of range', { pipeline: 'chain', options: { a: { duration_ms: -1 } } }, ['options.a.duration_ms']],
    ['several faults', { pipeline: 'nope', source: '/etc' }, ['pipeline', 'source']],
    [
      'faults in source and options',
      { source: '/etc', options: { filesystem: { x: 1 } } },
      ['options.filesystem.x', 'source'],
    ],
    ['an eta in milliseconds', { pipeline: 'chain', eta: 1_800_000_000_000 }, ['eta']],
    ['an eta without offset', { pipeline: 'chain', eta: '2027-01-01T00:00:00' }, ['eta']],
    ['an eta in a string', { pipeline: 'chain', eta: '1800000000' }, ['eta']],
    ['an eta in twenty years', { pipeline: 'chain', eta: '2050-01-01T00:00:00Z' }, ['eta']],
    ['an eta in the year 10000', { pipeline: 'chain', eta: '10000-01-01T00:00:00Z' }, ['eta']],
    ['a negative countdown', { pipeline: 'chain', countdown: -1 }, ['countdown']],
    ['a countdown beyond all bounds', '{"pipeline": "chain", "countdown": 1e400}', ['countdown']],
    ['jobs to wait for', { pipeline: 'chain', depends_on: [UNKNOWN] }, ['depends_on.0']],
    ['an empty key', { pipeline: 'chain', idempotency_key: '' }, ['idempotency_key']],
    [
      'input too deep',
      `{"pipeline": "chain", "input": ${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`,
      [expect.stringMatching(/^input\.a/)],
    ],
  ])('%s', async (_, body, paths) => {
    const refusal = expectProblem(await stage.submitBadly(body), 422);
    expect(pathsOf(refusal)).toEqual(paths);
    expect(refusal.errors?.every((error) => error.message.length > 5)).toBe(true);
    expect(await stage.jobCount()).toBe(0);
  });

  it('two keys that differ, an empty one, a parameter', async () => {
    const key = { 'Idempotency-Key': 'one' };
    const both = await stage.submitBadly({ pipeline: 'chain', idempotency_key: 'two' }, key);
    expect(pathsOf(expectProblem(both, 422))).toEqual(['idempotency_key']);
    const empty = await stage.submitBadly({ pipeline: 'chain' }, { 'Idempotency-Key': '' });
    expect(pathsOf(expectProblem(empty, 422))).toEqual(['Idempotency-Key']);
    const parameter = await stage.post('/v1/ingest?dry_run=1', { pipeline: 'chain' });
    expect(pathsOf(expectProblem(parameter, 422))).toEqual(['dry_run']);
    expect(await stage.jobCount()).toBe(0);
  });
});

describe('a body is refused', () => {
  it.each([
    ['{"pipeline":', 400],
    ['{pipeline: "chain"}', 400],
    ['', 400],
    ['\u{feff}{}', 400],
    ['NaN', 400],
  ])('%j with %d', async (body, status) => {
    expectProblem(await stage.submitBadly(body), status);
  });

  it('that is not UTF-8, with 400', async () => {
    const headers = { 'Content-Type': 'application/json' };
    expectProblem(await stage.call('POST', '/v1/ingest', { headers, body: Buffer.from([0x22, 0xff, 0x22]) }), 400);
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/xml', 'multipart/form-data; boundary=x'])(
    'of type %s with 415',
    async (type) => {
      expectProblem(await stage.call('POST', '/v1/ingest', { headers: { 'Content-Type': type }, body: '{}' }), 415);
    },
  );

  it('above 1 MiB with 413, and one byte less is read', async () => {
    const sized = (bytes: number): string => {
      const [head, tail] = ['{"pipeline": "nope", "input": {"text": "', '"}}'];
      return head + 'x'.repeat(bytes - head.length - tail.length) + tail;
    };
    expectProblem(await stage.submitBadly(sized(1_048_577)), 413);
    expectProblem(await stage.submitBadly(sized(1_048_576)), 422);
    expectProblem(await stage.post('/v1/ingest/batch', 'x'.repeat(3_000_000)), 413);
  });

  it('above 1 MiB with 413 when it does not say its length', async () => {
    const body = new ReadableStream({
      start(controller): void {
        for (let chunk = 0; chunk < 40; chunk += 1) controller.enqueue(Buffer.alloc(65_536, 0x20));
        controller.close();
      },
    });
    const init = { headers: { 'Content-Type': 'application/json' }, body, duplex: 'half' };
    expectProblem(await stage.call('POST', '/v1/ingest', init as RequestInit), 413);
  });

  it('that is missing, with 422', async () => {
    expectProblem(await stage.call('POST', '/v1/ingest'), 422);
  });
});

describe('an address', () => {
  it.each([
    ['GET', '/v1/ingest/nope'],
    ['GET', `/v1/ingest/${UNKNOWN}`],
    ['GET', `/v1/ingest/${UNKNOWN}/attempts`],
    ['GET', `/v1/ingest/${UNKNOWN}/logs`],
    ['GET', `/v1/ingest/${'x'.repeat(5_000)}`],
    ['GET', '/v1/ingest/..%2f..%2fetc%2fpasswd'],
    ['GET', "/v1/ingest/'%20OR%201=1%20--"],
    ['GET', '/v1/ingest/%00'],
    ['GET', '/v1/ingest/nope/attempts'],
    ['GET', '/v1/pipelines/nope'],
    ['GET', '/v1/nope'],
    ['GET', '/nope?<script>'],
    ['DELETE', '/v1/pipelines'],
    ['PUT', '/v1/ingest'],
    ['GET', '/v1/ingest/batch'],
  ])('%s %s is not found', async (method, path) => {
    expectProblem(await stage.call(method, path), 404);
  });

  it('that cannot be decoded is refused', async () => {
    const answer = await rawGet('/v1/ingest/%zz');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('application/problem+json');
  });

  it.each([
    ['/v1/ingest?limit=0', 'limit'],
    ['/v1/ingest?limit=1000000', 'limit'],
    ['/v1/ingest?limit=ten', 'limit'],
    ['/v1/ingest?page=2', 'page'],
    ['/v1/ingest?__proto__=2', '__proto__'],
    ['/v1/ingest?status=done', 'status'],
    ['/v1/ingest?sort=random', 'sort'],
    ['/v1/ingest?cursor=abc', 'cursor'],
    ['/v1/ingest?cursor=', 'cursor'],
    ['/v1/ingest?q=%00', 'q'],
    ['/v1/ingest?created_after=yesterday', 'created_after'],
    [`/v1/ingest/${UNKNOWN}?verbose=1`, 'verbose'],
    [`/v1/ingest/${UNKNOWN}/logs?attempt=0`, 'attempt'],
    ['/v1/pipelines?x=1', 'x'],
    ['/v1/workers?x=1', 'x'],
  ])('%s has a parameter that is refused', async (path, parameter) => {
    expect(pathsOf(expectProblem(await stage.get(path), 422))).toEqual([parameter]);
  });
});

describe('what is no HTTP', () => {
  it('is answered with a problem document', async () => {
    const answer = await raw('NONSENSE\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"The request is not valid HTTP."');
  });

  it('neither are headers without end', async () => {
    const answer = await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });
});

it('after all of this the service is well and nothing is stored', async () => {
  expect((await stage.get('/health/ready')).body).toMatchObject({ status: 'ok' });
  expect(await stage.jobCount()).toBe(0);
  expect((await stage.submit({ pipeline: 'chain' })).status).toBe(202);
  expect(stage.lines.filter((line) => line.includes('a call failed'))).toEqual([]);
});

/** fetch would mend the address. */
function rawGet(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { port } = new URL(stage.url);
    const call = httpRequest({ port, host: '127.0.0.1', path, headers: { Host: 'localhost' } }, (response) => {
      let text = `HTTP/1.1 ${response.statusCode} ${JSON.stringify(response.headers)}`;
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    });
    call.on('error', reject).end();
  });
}

function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(new URL(stage.url).port), '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
