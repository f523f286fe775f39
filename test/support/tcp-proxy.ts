import { createConnection, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What passes in one direction. Gets each piece as it comes; may look, and may say that the line is to be cut. */
export type Watcher = (piece: Buffer, cut: () => void) => void;

interface Line {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, and nobody is told. */
  dead: boolean;
}

/** A line between a service and a server that a test can cut, hold up, or let go dead. On loopback only. */
export class TcpProxy {
  private readonly lines = new Set<Line>();
  private delayMs = 0;
  private isBlackHole = false;
  private watcher: Watcher | undefined;

  private constructor(
    private readonly listener: Server,
    private readonly target: { readonly host: string; readonly port: number },
  ) {
    listener.on('connection', (client) => this.accept(client));
  }

  /** @param url of the server; its host and port are what the proxy leads to */
  static async to(url: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(url);
    const listener = createServer();
    const proxy = new TcpProxy(listener, { host: hostname, port: Number(port) });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** The URL with the proxy's address in the place of the server's. */
  url(serverUrl: string): string {
    const url = new URL(serverUrl);
    url.host = `127.0.0.1:${this.port}`;
    return url.toString();
  }

  /** Lines that are open. */
  get size(): number {
    return this.lines.size;
  }

  /** Resets every line; new ones are let through. */
  cut(): void {
    for (const line of this.lines) end(line);
  }

  /** Holds each piece up for so long, in both directions. */
  delay(ms: number): void {
    this.delayMs = ms;
  }

  /** Nothing passes on any line, new ones included, and nobody is told: until `heal`. */
  blackHole(): void {
    this.isBlackHole = true;
    for (const line of this.lines) silence(line);
  }

  /** New lines pass again. Those that went dead stay dead, as behind a router that forgot them. */
  heal(): void {
    this.isBlackHole = false;
  }

  /** Every line so far goes dead without a word; new ones pass. */
  forgetLines(): void {
    for (const line of this.lines) silence(line);
  }

  /** Has a watcher look at all that the server says, from now on; undefined: nobody. */
  watchReplies(watcher: Watcher | undefined): void {
    this.watcher = watcher;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.listener.close(() => resolve()));
  }

  private accept(client: Socket): void {
    const server = createConnection(this.target);
    const line: Line = { client, server, dead: this.isBlackHole };
    this.lines.add(line);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        // A dead line tells nobody that its other end is gone.
        if (line.dead && !client.destroyed) return;
        end(line);
        this.lines.delete(line);
      });
    }
    client.on('data', (piece) => this.pass(line, server, piece));
    server.on('data', (piece) => {
      let isCut = false;
      this.watcher?.(piece, () => (isCut = true));
      if (isCut) end(line);
      else this.pass(line, client, piece);
    });
  }

  private pass(line: Line, to: Socket, piece: Buffer): void {
    if (line.dead) return;
    if (this.delayMs === 0) to.write(piece);
    else setTimeout(() => !line.dead && to.write(piece), this.delayMs);
  }
}

function end({ client, server }: Line): void {
  client.destroy();
  server.destroy();
}

function silence(line: Line): void {
  line.dead = true;
}
