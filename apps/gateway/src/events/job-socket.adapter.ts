import type { INestApplication } from '@nestjs/common';
import { WsAdapter } from '@nestjs/platform-ws';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { problem, PROBLEM_TYPE } from '../http/problems';
import { type Refusal, UpgradeGate } from './upgrade-gate';

/** The one kind of message that a client sends; the gateway reads what it says. */
export const CLIENT_MESSAGE = 'message';

/**
 * Nest's `ws` adapter with two differences: a gateway's path may end in `/*`, which stands for one segment; and a
 * request is checked before it becomes a socket, since guards do not see connections.
 */
export class JobSocketAdapter extends WsAdapter {
  private readonly gate: UpgradeGate;

  constructor(app: INestApplication) {
    super(app, { messageParser: (data) => ({ event: CLIENT_MESSAGE, data: textOf(data) }) });
    this.gate = app.get(UpgradeGate);
  }

  protected override ensureHttpServerExists(port: number, httpServer?: Server): Server | undefined {
    if (!httpServer) throw new Error(`no HTTP server of ours listens on port ${port}`);
    if (this.httpServersRegistry.has(port)) return undefined;
    this.httpServersRegistry.set(port, httpServer);
    httpServer.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
      connection.on('error', () => connection.destroy());
      this.upgrade(this.serverFor(port, pathOf(request)), request, connection, head);
    });
    return httpServer;
  }

  private serverFor(port: number, path: string): WebSocketServer | undefined {
    const servers: readonly (WebSocketServer & { readonly path: string })[] = this.wsServersRegistry.get(port) ?? [];
    return servers.find((server) => pathMatches(server.path, path));
  }

  private upgrade(
    server: WebSocketServer | undefined,
    request: IncomingMessage,
    connection: Duplex,
    head: Buffer,
  ): void {
    if (!server) return refuse(connection, { status: 404, detail: 'There is no socket at this path.' });
    const refusal = this.gate.refusal(request);
    if (refusal) return refuse(connection, refusal);
    server.handleUpgrade(request, connection, head, (socket: WebSocket) => {
      server.emit('connection', socket, request);
    });
  }
}

const textOf = (data: string | Buffer | ArrayBuffer | Buffer[]): string => {
  if (typeof data === 'string') return data;
  return (Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as ArrayBuffer)).toString();
};

const pathOf = (request: IncomingMessage): string => (request.url ?? '').split('?', 1)[0] ?? '';

function pathMatches(pattern: string, path: string): boolean {
  if (!pattern.endsWith('/*')) return path === pattern;
  const prefix = pattern.slice(0, -1);
  return path.startsWith(prefix) && !path.slice(prefix.length).includes('/');
}

/** Answers with a problem document instead of a socket. */
function refuse(connection: Duplex, { status, detail }: Refusal): void {
  const answer = problem(status, detail);
  const body = JSON.stringify(answer);
  const head = [
    `HTTP/1.1 ${status} ${answer.title}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(status === 503 ? ['Retry-After: 1'] : []),
    ...(status === 401 ? ['WWW-Authenticate: Bearer'] : []),
    'Connection: close',
  ];
  connection.once('finish', () => connection.destroy());
  connection.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
