import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';

export interface Call {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export interface Answer {
  readonly status?: number;
  readonly body: unknown;
  readonly type?: string;
}

/** Answers a call; `undefined` is a 404 problem. */
export type Answers = (call: Call) => Answer | undefined;

/** An HTTP and WebSocket server that says what a test tells it to. */
export class FakeGateway {
  readonly calls: Call[] = [];
  answers: Answers = () => undefined;
  /** Given each socket, and how many there were before it. */
  onSocket: (socket: WebSocket, before: number, headers: IncomingMessage['headers']) => void = (socket) =>
    socket.close(1008);
  /** Refuses sockets with this HTTP status while it is not null. */
  refuseSocketsWith: number | null = null;
  private socketCount = 0;
  private readonly http: Server = createServer((request, response) => {
    void read(request).then((text) => {
      const call = {
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body: parse(text),
      };
      this.calls.push(call);
      const { status = 200, body, type } = this.answers(call) ?? NOT_FOUND;
      const isText = typeof body === 'string';
      response.writeHead(status, {
        'content-type': type ?? (status < 400 ? 'application/json' : 'application/problem+json'),
      });
      response.end(isText ? body : JSON.stringify(body));
    });
  });
  private readonly sockets = new WebSocketServer({ noServer: true });

  static async start(): Promise<FakeGateway> {
    const gateway = new FakeGateway();
    gateway.http.on('upgrade', (request, connection, head) => {
      if (gateway.refuseSocketsWith !== null) {
        connection.end(`HTTP/1.1 ${gateway.refuseSocketsWith} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
        return;
      }
      gateway.sockets.handleUpgrade(request, connection, head, (socket) => {
        gateway.socketCount += 1;
        gateway.onSocket(socket, gateway.socketCount - 1, request.headers);
      });
    });
    await new Promise<void>((resolve) => gateway.http.listen(0, '127.0.0.1', resolve));
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  get socketsSoFar(): number {
    return this.socketCount;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.http.closeAllConnections();
    await new Promise<void>((resolve) => this.http.close(() => resolve()));
  }
}

const NOT_FOUND: Answer = {
  status: 404,
  body: { type: 'about:blank', title: 'Not found.', status: 404, detail: 'There is no job "x".' },
};

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const parse = (text: string): unknown => (text === '' ? undefined : JSON.parse(text));
