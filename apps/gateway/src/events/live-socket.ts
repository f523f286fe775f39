import type { WebSocket } from 'ws';
import { HEARTBEAT } from './socket-messages';

/** Why a socket is closed, as the contract and RFC 6455 number it. */
export const CLOSE = { done: 1000, goingAway: 1001, refused: 1008, tryAgainLater: 1013 } as const;

/** Bytes that may wait for a client. More means that it does not read: it is dropped. */
export const MAX_BUFFERED_BYTES = 1_048_576;
/** Below this the client keeps up, and is sent what can wait. */
const ROOMY_BYTES = 131_072;
/** How long a client that does not read has to take the last words before the connection is cut. */
const LAST_WORDS_MS = 2_000;

/** The sending side of one WebSocket: bounded, and silent once it is ending. */
export class LiveSocket {
  private ending = false;
  private heardSinceBeat = true;
  private waiters: (() => void)[] = [];
  private endListeners: (() => void)[] = [];

  constructor(private readonly ws: WebSocket) {
    const heard = (): void => void (this.heardSinceBeat = true);
    ws.on('pong', heard);
    ws.on('message', heard);
    ws.once('close', () => this.ended());
  }

  get isOpen(): boolean {
    return !this.ending && this.ws.readyState === this.ws.OPEN;
  }

  private get isRoomy(): boolean {
    return this.ws.bufferedAmount <= ROOMY_BYTES;
  }

  /** Calls when the client has taken nearly all that was sent, one caller after another; never once it is ended. */
  whenRoomy(then: () => void): void {
    this.waiters.push(then);
    this.serveWaiters();
  }

  /** Called once, as soon as nothing more is sent: at our close, the client's, or when the connection is lost. */
  whenEnded(then: () => void): void {
    this.endListeners.push(then);
  }

  /** Sends a text message, or drops the client when too much waits for it already. */
  send(message: string): void {
    if (!this.isOpen) return;
    if (this.ws.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.end(CLOSE.tryAgainLater, 'the client reads too slowly', LAST_WORDS_MS);
      return;
    }
    this.ws.send(message, this.written);
  }

  /** Sends a heartbeat; cuts the connection to a client that has not been heard since the last one. */
  beat(): void {
    if (!this.isOpen) return;
    if (!this.heardSinceBeat) {
      this.ended();
      this.ws.terminate();
      return;
    }
    this.heardSinceBeat = false;
    this.ws.ping();
    this.send(HEARTBEAT);
  }

  /**
   * Closes with a code and a reason of at most 123 bytes. A client that does not answer the close is cut off after
   * the limit, or after the library's own 30 s.
   */
  end(code: number, reason: string, limitMs?: number): void {
    if (this.ending) return;
    this.ended();
    if (limitMs !== undefined) {
      const cut = setTimeout(() => this.ws.terminate(), limitMs);
      this.ws.once('close', () => clearTimeout(cut));
    }
    this.ws.close(code, reason);
  }

  private ended(): void {
    this.ending = true;
    this.waiters = [];
    const listeners = this.endListeners;
    this.endListeners = [];
    for (const listener of listeners) listener();
  }

  private serveWaiters(): void {
    while (this.isOpen && this.isRoomy) {
      const waiter = this.waiters.shift();
      if (!waiter) return;
      waiter();
    }
  }

  private readonly written = (): void => {
    if (this.waiters.length > 0) this.serveWaiters();
  };
}
