import { Agent, buildConnector, type Dispatcher, request } from 'undici';
import { TransientError } from '#shared/domain/step-errors';
import { withinMs } from '#shared/runtime/embedded/guardian';
import { type HttpAnswer, kindOfStatus } from './http-answer';

const CONNECT_LIMIT_MS = 10_000;
/** A connection that was idle for so long is not used again. */
const IDLE_LIMIT_MS = 4_000;
const MAX_BODY_BYTES = 1024 * 1024;
/** What an error says beyond its status is a courtesy: no step waits long for it. */
const MAX_ERROR_BODY_BYTES = 16 * 1024;
const ERROR_BODY_LIMIT_MS = 5_000;

export interface HttpRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET';
  readonly headers: Readonly<Record<string, string>>;
  /** null = none. */
  readonly body: string | null;
  readonly signal: AbortSignal;
}

type ResponseBody = Dispatcher.ResponseData['body'];

/**
 * Connections that are kept for the next request. An answer may take hours: only the request's signal ends the wait,
 * and TCP's own probes find a peer that is gone.
 *
 * A server may close an idle connection just as a request is written to it. Such a request was not looked at, so it is
 * sent once more, on a fresh connection; one that fails on a fresh connection has failed.
 */
export class HttpConnections {
  /** Errors of connections that had answered before. */
  private readonly onUsedConnection = new WeakSet<object>();
  private readonly kept: Agent;
  /** Makes a connection for each request. */
  private readonly fresh: Agent;

  constructor() {
    const limits = { keepAliveTimeout: IDLE_LIMIT_MS, headersTimeout: 0, bodyTimeout: 0 };
    const connect = buildConnector({ timeout: CONNECT_LIMIT_MS });
    this.kept = new Agent({ ...limits, connect: this.watched(connect) });
    this.fresh = new Agent({ ...limits, connect, pipelining: 0 });
  }

  /**
   * @param shown the request in words, without secrets
   * @throws TransientError when no whole answer comes; the signal's reason when it is aborted
   */
  async send(toSend: HttpRequest, shown: string): Promise<HttpAnswer> {
    try {
      return await answerOf(await this.begin(toSend));
    } catch (error) {
      toSend.signal.throwIfAborted();
      throw failureOf(error, shown);
    }
  }

  /** Ends all connections, whatever they carry. */
  async close(): Promise<void> {
    await Promise.all([this.kept.destroy(), this.fresh.destroy()]);
  }

  /** Resolves when the head of the answer is there. */
  private async begin({ url, ...rest }: HttpRequest): Promise<Dispatcher.ResponseData> {
    try {
      return await request(url, { ...rest, dispatcher: this.kept });
    } catch (error) {
      if (!isObject(error) || !this.onUsedConnection.has(error) || rest.signal.aborted) throw error;
      return request(url, { ...rest, dispatcher: this.fresh });
    }
  }

  private watched(connect: buildConnector.connector): buildConnector.connector {
    return (options, callback) =>
      connect(options, (...args) => {
        const [error, socket] = args;
        if (error !== null) return callback(error, null);
        const bytesBefore = socket.bytesRead;
        socket.on('error', (broken: Error) => {
          if (socket.bytesRead > bytesBefore && wasClosed(broken)) this.onUsedConnection.add(broken);
        });
        return callback(null, socket);
      });
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const codeOf = (error: unknown): string | undefined =>
  isObject(error) && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

const wasClosed = (error: unknown): boolean => ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(codeOf(error) ?? '');

async function answerOf({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<HttpAnswer> {
  const header = (name: string): string | undefined => [headers[name] ?? []].flat()[0];
  const isError = kindOfStatus(statusCode) !== 'completed';
  const read = isError ? await readErrorBody(body) : await readBody(body, MAX_BODY_BYTES);
  return { status: statusCode, header, ...read };
}

/** @returns the text as far as it may be read; the rest is not waited for */
async function readBody(body: ResponseBody, maxBytes: number): Promise<{ body: string; isCut: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  body.on('error', () => undefined);
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop ends the connection.
    if (bytes > maxBytes) break;
  }
  const isCut = bytes > maxBytes;
  return { body: new TextDecoder().decode(Buffer.concat(chunks).subarray(0, maxBytes)), isCut };
}

async function readErrorBody(body: ResponseBody): Promise<{ body: string; isCut: boolean }> {
  const nothing = { body: '', isCut: true };
  const read = readBody(body, MAX_ERROR_BODY_BYTES).catch(() => nothing);
  const inTime = await withinMs(read, ERROR_BODY_LIMIT_MS);
  if (!inTime) body.destroy();
  return inTime ?? nothing;
}

/** Any failure to get an answer may pass. */
function failureOf(error: unknown, shown: string): TransientError {
  const why = reasonOf(error);
  if (codeOf(error) === 'UND_ERR_CONNECT_TIMEOUT') {
    const message = `${shown} could not be sent: no connection within ${CONNECT_LIMIT_MS / 1_000} s`;
    return new TransientError(message, 'http_connect_timeout');
  }
  return new TransientError(`${shown} got no answer: ${why}`, 'http_no_answer');
}

/** Node tells of each address that it tried in an error of its own. */
function reasonOf(error: unknown): string {
  if (isObject(error) && 'errors' in error && Array.isArray(error.errors)) {
    return [...new Set(error.errors.map(reasonOf))].join(', ');
  }
  return isObject(error) && 'message' in error ? String(error.message) : String(error);
}
