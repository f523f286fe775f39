import { apiKey } from '../api/key';
import { createStore, type Store } from '../api/store';
import type { SocketMessage } from './live-job';

/** `over`: the server has said all that there was to say. */
export type SocketState = 'connecting' | 'live' | 'lost' | 'over';

/** RFC 6455: a normal end, and one because of a policy (here: no such job, or no valid key). */
const NORMAL = 1_000;
const POLICY = 1_008;
const PAUSES_MS = [250, 500, 1_000, 2_000, 5_000];
/** The server says something at least every 30 s. */
const SILENCE_MS = 45_000;

/** A socket that comes back by itself after it was lost; what was missed then comes as a snapshot. */
export class LiveSocket {
  readonly state: Store<SocketState> = createStore<SocketState>('connecting');
  private socket: WebSocket | undefined;
  private losses = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;
  private isClosed = false;

  /** @param greeting is sent whenever the socket has been opened */
  constructor(
    private readonly path: string,
    private readonly onMessage: (message: SocketMessage) => void,
    private readonly greeting?: () => string | null,
  ) {
    this.open();
  }

  send(text: string): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  close(): void {
    this.isClosed = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.socket?.close();
  }

  private open(): void {
    const url = new URL(this.path, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    if (apiKey.get() !== '') url.searchParams.set('access_token', apiKey.get());
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => {
      const greeting = this.greeting?.() ?? null;
      if (greeting !== null) socket.send(greeting);
      this.state.set('live');
      this.expectWord();
    };
    socket.onmessage = ({ data }: MessageEvent<string>) => {
      if (this.isClosed || socket !== this.socket) return;
      this.losses = 0;
      this.expectWord();
      this.onMessage(JSON.parse(data) as SocketMessage);
    };
    socket.onclose = ({ code }) => {
      if (this.isClosed || socket !== this.socket) return;
      clearTimeout(this.silence);
      if (code === NORMAL || code === POLICY) this.state.set('over');
      else this.comeBack();
    };
  }

  private comeBack(): void {
    this.state.set('lost');
    const pause = PAUSES_MS[Math.min(this.losses, PAUSES_MS.length - 1)] ?? 1_000;
    this.losses += 1;
    this.timer = setTimeout(() => this.open(), pause);
  }

  /** A connection that was cut without a word looks as if it were open. */
  private expectWord(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => {
      const { socket } = this;
      this.socket = undefined;
      socket?.close();
      this.comeBack();
    }, SILENCE_MS);
  }
}
