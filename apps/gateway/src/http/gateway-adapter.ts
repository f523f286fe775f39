import { BadRequestException } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { isUtf8 } from 'node:buffer';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { MAX_BODY_BYTES } from '#shared/contracts/ingest-request';
import { problem, PROBLEM_TYPE } from './problems';

const REQUEST_LIMIT_MS = 30_000;
const KEEP_ALIVE_MS = 65_000;

/** What is used of Fastify's reply. */
interface Reply {
  readonly raw: ServerResponse;
}

/** The HTTP server of the gateway: takes JSON and nothing else, of at most 1 MiB, and speaks in problem documents. */
export function gatewayAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_LIMIT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Nothing here uses middleware; without it each call is cheaper.
    skipMiddie: true,
    // Longer than any id, so that an id which is none gets the same answer whatever its length.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: (_error: unknown, _request: unknown, reply: Reply) => {
      reply.raw.writeHead(400, { 'Content-Type': PROBLEM_TYPE });
      reply.raw.end(JSON.stringify(problem(400, 'The address is not a valid one.')));
    },
    clientErrorHandler: (error, socket) => answerBrokenRequest(error.code, socket),
  });
  adapter.getInstance().removeContentTypeParser('text/plain');
  adapter.useBodyParser('application/json', false, { bodyLimit: MAX_BODY_BYTES }, (_request, body: Buffer, done) => {
    try {
      done(null, parseJson(body));
    } catch (error) {
      done(error as Error, undefined);
    }
  });
  return adapter;
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw new BadRequestException('The body is empty; a JSON document was announced.');
  if (!isUtf8(body)) throw new BadRequestException('The body is not UTF-8.');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new BadRequestException(`The body is not valid JSON: ${shortened((error as Error).message)}`);
  }
}

/** V8 quotes the text around the fault. */
const shortened = (message: string): string => (message.length > 200 ? `${message.slice(0, 200)}…` : message);

const BROKEN_REQUESTS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [431, 'The headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time.'],
};

/** What cannot be read as HTTP never becomes a request; its sender is told so on the bare connection. */
function answerBrokenRequest(code: string, socket: Socket): void {
  if (code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, detail] = BROKEN_REQUESTS[code] ?? [400, 'The request is not valid HTTP.'];
  const body = JSON.stringify(problem(status, detail));
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
