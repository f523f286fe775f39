import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { JsonObject } from '#shared/domain/json';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { HttpHandler } from '../../../apps/step-worker/src/handlers/http/http-handler';
import { SecretReader } from '../../../apps/step-worker/src/handlers/secrets/secret-reader';
import { AttemptStopped } from '../../../apps/step-worker/src/turn/step-execution';
import { contextFor, type TestContext } from '../../support/step-context';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const TOKEN = 'tok-3f9a8b7c6d';

let answer: (response: ServerResponse, seen: Seen) => void;
let seen: Seen[];
let server: Server;
let url: string;
let handler: HttpHandler;

beforeAll(async () => {
  server = await listening((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method, url: path, headers } = request;
      const one = { method, url: path, headers, body: Buffer.concat(chunks).toString() };
      seen.push(one);
      answer(response, one);
    });
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  seen = [];
  answer = (response) => json(response, 200, { ok: true });
  handler = new HttpHandler(new SecretReader({ API_TOKEN: `Bearer ${TOKEN}` }));
});

afterEach(() => handler.close());

async function listening(listener: RequestListener): Promise<Server> {
  const made = createServer(listener);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  return made;
}

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

function text(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, headers).end(body);
}

const context = (options: JsonObject = {}, over: Partial<TestContext> = {}): TestContext =>
  contextFor(handler, { url: `${url}/hook`, ...options }, over);

const run = (given: TestContext): Promise<unknown> => handler.run(given as Parameters<HttpHandler['run']>[0]);

async function failure(given: TestContext): Promise<PermanentError | TransientError> {
  const error = await run(given).then(
    () => new Error('it was completed'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof PermanentError || error instanceof TransientError) return error;
  throw error as Error;
}

describe('what http sends', () => {
  it('is exactly the job, the step, the attempt, the key, input, outputs and body', async () => {
    await expect(run(context({ body: [1, { two: null }] }))).resolves.toEqual({ ok: true });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      ...{ job_id: 'job-1', step: 'fetch', attempt: 2, idempotency_key: 'job-1:fetch' },
      ...{ input: { a: 1 }, outputs: { before: { b: 2 } }, body: [1, { two: null }] },
    });
    expect(seen[0]).toMatchObject({
      ...{ method: 'POST', url: '/hook' },
      headers: { 'content-type': 'application/json', 'idempotency-key': 'job-1:fetch' },
    });
  });

  it('has a body of null when none is given, and headers as the options say, secrets read', async () => {
    const headers = {
      Authorization: { secret: 'API_TOKEN' },
      'X-Plain': 'one two',
      'Content-Type': 'application/x+json',
    };
    await run(context({ method: 'PUT', headers }));
    expect(JSON.parse(seen[0]?.body ?? '')).toHaveProperty('body', null);
    expect(seen[0]).toMatchObject({
      method: 'PUT',
      headers: { authorization: `Bearer ${TOKEN}`, 'x-plain': 'one two', 'content-type': 'application/x+json' },
    });
  });

  it('with GET has no body, and everything else', async () => {
    await run(context({ method: 'GET' }));
    expect(seen[0]).toMatchObject({ method: 'GET', body: '', headers: { 'idempotency-key': 'job-1:fetch' } });
  });

  it('carries user and password of the address as a header, and never shows them', async () => {
    answer = (response, { headers }) => text(response, 500, `who is ${headers.authorization} s3cr3t-pass?`);
    const login = url.replace('http://', 'http://me:s3cr3t-pass@');
    const error = await failure(context({ url: `${login}/x?api_key=123456789` }));
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:s3cr3t-pass').toString('base64')}`);
    expect(seen[0]?.url).toBe('/x?api_key=123456789');
    expect(error.message).toBe(`POST ${url}/x?… answered 500: who is Basic *** ***?`);
  });
});

describe('what http makes of an answer', () => {
  const plain = { 'content-type': 'text/html' };

  it.each<[string, (response: ServerResponse) => void, unknown]>([
    ['any JSON', (response) => json(response, 201, [1, 'two']), [1, 'two']],
    ['a JSON type of its own', (response) => text(response, 200, '"x"', { 'content-type': 'a/b+json; c=d' }), 'x'],
    ['JSON without a type', (response) => text(response, 200, '{"a":1}'), { a: 1 }],
    ['an empty body', (response) => text(response, 204, ''), {}],
    ['null', (response) => json(response, 200, null), {}],
  ])('takes for the output %s', async (_, how, output) => {
    answer = how;
    const given = context();
    await expect(run(given)).resolves.toEqual(output);
    expect(given.lines).toEqual([]);
  });

  it('gives {} for a body that is no JSON, and says so', async () => {
    answer = (response) => text(response, 200, '<p>thanks</p>', plain);
    const given = context();
    await expect(run(given)).resolves.toEqual({});
    expect(given.lines).toEqual([
      ['warn', `POST ${url}/hook answered 200 with a body that is no JSON (text/html): the output is {}`],
    ]);
  });

  it('tries again when what claims to be JSON is none', async () => {
    answer = (response) => text(response, 200, '{"half":', { 'content-type': 'application/json' });
    const error = await failure(context());
    expect(error).toMatchObject({ name: 'TransientError', code: 'http_bad_json' });
  });

  it('reads 1 MiB and no more', async () => {
    const huge = 'x'.repeat(3 * 1024 * 1024);
    answer = (response) => json(response, 200, huge);
    await expect(failure(context())).resolves.toMatchObject({ name: 'PermanentError', code: 'answer_too_large' });
    answer = (response) => text(response, 200, huge, plain);
    await expect(run(context())).resolves.toEqual({});
    answer = (response) => text(response, 503, huge);
    const { message } = await failure(context());
    expect(message).toBe(`POST ${url}/hook answered 503: ${'x'.repeat(200)}`);
  });

  it('does not wait for the body of an error that never ends', async () => {
    answer = (response) => void response.writeHead(503, { 'retry-after': '7' }).write('busy');
    await expect(failure(context())).resolves.toMatchObject({ code: 'http_503', minDelayMs: 7_000 });
  }, 10_000);

  it('quotes the start of an error on one line, without secrets, and heeds Retry-After', async () => {
    answer = (response, { headers }) =>
      text(response, 429, `slow\r\n\tdown, ${headers.authorization}\n`, { 'retry-after': '3' });
    const error = await failure(context({ headers: { authorization: { secret: 'API_TOKEN' } } }));
    expect(error).toMatchObject({ name: 'TransientError', code: 'http_429', minDelayMs: 3_000 });
    expect(error.message).toBe(`POST ${url}/hook answered 429: slow down, ***`);
  });

  it('hides a secret that is given back as the output', async () => {
    answer = (response, { headers }) => json(response, 200, { got: headers.authorization, [TOKEN]: 1 });
    const given = context({ headers: { authorization: { secret: 'API_TOKEN' } } });
    await expect(run(given)).resolves.toEqual({ got: '***', '***': 1 });
  });

  it('follows no redirect, and says what to do', async () => {
    answer = (response) => text(response, 302, '', { location: 'https://me:pw@other.example/new?key=1' });
    const error = await failure(context());
    expect(seen).toHaveLength(1);
    expect(error).toMatchObject({ name: 'PermanentError', code: 'http_302' });
    expect(error.message).toBe(
      `POST ${url}/hook answered 302: it points to https://other.example/new?…, and redirects are not followed. ` +
        "Write the final address into the step's url",
    );
  });
});

describe('http without an answer', () => {
  it('tries again when nobody listens', async () => {
    const gone = await listening(() => undefined);
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    for (const host of ['127.0.0.1', 'localhost']) {
      const error = await failure(context({ url: `http://${host}:${port}/x` }));
      expect(error).toMatchObject({ name: 'TransientError', code: 'http_no_answer' });
      expect(error.message).toContain(`POST http://${host}:${port}/x got no answer: connect ECONNREFUSED`);
    }
  });

  it('ends at once when it is told to, with the reason', async () => {
    const controller = new AbortController();
    const reason = new AttemptStopped('timeout');
    answer = () => controller.abort(reason);
    await expect(run(context({}, { signal: controller.signal }))).rejects.toBe(reason);
  });

  it('needs its secrets, and sends nothing without', async () => {
    const error = await failure(context({ headers: { authorization: { secret: 'OTHER' } } }));
    expect(error).toMatchObject({ name: 'PermanentError', code: 'secret_missing' });
    expect(error.message).toContain('set the environment variable OTHER on this worker');
    expect(seen).toEqual([]);
  });
});

/** A server that answers so many requests on each connection and then closes it in the middle of the next one. */
describe('a connection that the server closes', () => {
  let sockets: Socket[];
  let requests: number[];

  async function closingServer(answers: number, close: (socket: Socket) => void): Promise<string> {
    sockets = [];
    requests = [];
    const tcp = createTcpServer((socket) => {
      const connection = sockets.push(socket) - 1;
      let count = 0;
      socket.on('error', () => undefined);
      socket.on('data', () => {
        requests.push(connection);
        count += 1;
        if (count > answers) close(socket);
        else socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');
      });
    });
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    tcp.unref();
    return `http://127.0.0.1:${(tcp.address() as AddressInfo).port}/`;
  }

  const ways: [string, (socket: Socket) => void][] = [
    ['with a reset', (socket) => socket.resetAndDestroy()],
    ['in the ordinary way', (socket) => socket.end()],
  ];

  it.each(ways)('%s, after it had answered before: is replaced, and the request sent again', async (_, close) => {
    const address = await closingServer(1, close);
    await run(context({ url: address }));
    // A connection is idle once undici has looked at it again.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    await expect(run(context({ url: address }))).resolves.toEqual({});
    expect(requests).toEqual([0, 0, 1]);
  });

  it.each(ways)('%s, though it was fresh: is a failure, sent once', async (_, close) => {
    const address = await closingServer(0, close);
    await expect(failure(context({ url: address }))).resolves.toMatchObject({ code: 'http_no_answer' });
    expect(requests).toEqual([0]);
  });
});
