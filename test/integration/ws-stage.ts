import { type DynamicModule, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { request } from 'node:http';
import { createConnection, type Socket } from 'node:net';
import pino from 'pino';
import { type ClientOptions, WebSocket } from 'ws';
import { EventsModule, type EventsOptions } from '../../apps/gateway/src/events/events.module';
import { JobSocketAdapter } from '../../apps/gateway/src/events/job-socket.adapter';
import type { JobSnapshots } from '../../apps/gateway/src/events/snapshot-reader';
import type { JobView } from '#shared/contracts/job';
import type { Logger } from '#shared/runtime/logger';
import { NestLogger } from '#shared/runtime/nest-logger';
import { until } from '../support/poll';

@Module({})
class Root {}

/** A gateway with nothing but its WebSockets. */
export async function startSockets(
  options: Omit<EventsOptions, 'log'> & { readonly log?: Logger },
): Promise<NestFastifyApplication> {
  const { log = pino({ level: 'silent' }) } = options;
  const module: DynamicModule = { module: Root, imports: [EventsModule.register({ ...options, log })] };
  const logger = new NestLogger(log);
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger });
  app.useWebSocketAdapter(new JobSocketAdapter(app));
  await app.listen(0, '127.0.0.1');
  return app;
}

export const portOf = (app: NestFastifyApplication): number => {
  const address = app.getHttpServer().address();
  if (address === null || typeof address === 'string') throw new Error('the application does not listen');
  return address.port;
};

/** Jobs as a store would have them; the spec moves them on. */
export class JobsInMemory implements JobSnapshots {
  private readonly jobs = new Map<string, JobView>();
  away = false;

  put(id: string, version: number, fields: Partial<JobView> = {}): void {
    this.jobs.set(id, { status: 'running', steps: [], ...fields, id, version } as unknown as JobView);
  }

  delete(id: string): void {
    this.jobs.delete(id);
  }

  getMany(ids: readonly string[]): Promise<ReadonlyMap<string, JobView>> {
    if (this.away) return Promise.reject(new Error('away'));
    return Promise.resolve(new Map(this.known(ids).map((job) => [job.id, job])));
  }

  versions(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (this.away) return Promise.reject(new Error('away'));
    return Promise.resolve(new Map(this.known(ids).map((job) => [job.id, job.version])));
  }

  private known(ids: readonly string[]): JobView[] {
    return ids.map((id) => this.jobs.get(id)).filter((job) => job !== undefined);
  }
}

export interface Received {
  readonly type: 'snapshot' | 'event' | 'heartbeat' | 'error';
  readonly job?: JobView;
  readonly event?: string;
  readonly step?: string;
  readonly status?: string;
  readonly job_id?: string;
  readonly seq?: number;
  readonly version?: number;
  readonly message?: string;
}

/** A client of a WebSocket that keeps all that it is sent. */
export class SocketClient {
  readonly received: Received[] = [];
  closed: { readonly code: number; readonly reason: string } | null = null;
  readonly ws: WebSocket;

  constructor(port: number, path: string, options: ClientOptions = {}) {
    this.ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
    this.ws.on('message', (data: Buffer) => this.received.push(JSON.parse(data.toString()) as Received));
    this.ws.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }));
    this.ws.on('error', () => undefined);
  }

  say(message: unknown): void {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Resolves once so many messages have come that are no heartbeats; gives all of those. */
  async messages(count: number): Promise<Received[]> {
    const spoken = (): Received[] => this.received.filter(({ type }) => type !== 'heartbeat');
    await until(() => spoken().length >= count, { what: `${count} messages (so far ${this.inShort().join(', ')})` });
    return spoken();
  }

  /** What was received, in short: `snapshot v3`, `event 1 v4`, `error`; heartbeats are left out. */
  inShort(): string[] {
    return this.received
      .filter(({ type }) => type !== 'heartbeat')
      .map(({ type, job, seq, version }) => {
        if (type === 'snapshot') return `snapshot v${job?.version}`;
        return type === 'event' ? `event ${seq} v${version}` : type;
      });
  }

  async opened(): Promise<this> {
    await until(() => this.ws.readyState === WebSocket.OPEN, { what: 'the socket to open' });
    return this;
  }

  /** The code that the server closed with. */
  async closeCode(): Promise<number> {
    return (await until(() => this.closed, { what: 'the socket to be closed' })).code;
  }
}

/** The HTTP answer to a request for a socket that is refused. */
export function refusalOf(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers: { ...upgrade, ...headers } });
    asked.on('upgrade', (_, socket) => {
      socket.destroy();
      reject(new Error('the request became a socket'));
    });
    asked.on('response', (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** A client that opens a WebSocket and then reads nothing. */
export async function deafClient(port: number, path: string): Promise<Socket> {
  const socket = createConnection({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  const head = [
    `GET ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  await new Promise<void>((resolve) => socket.once('data', () => resolve()));
  socket.pause();
  return socket;
}
