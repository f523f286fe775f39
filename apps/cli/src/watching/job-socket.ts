import { on } from 'node:events';
import WebSocket from 'ws';
import { z } from 'zod';
import { jobView } from '#shared/contracts/job';
import { liveEvent } from '#shared/contracts/live-event';

const jobEvent = liveEvent.extend({ type: z.literal('event'), job_id: z.string(), seq: z.number().int() });
export type JobEvent = z.infer<typeof jobEvent>;

const socketMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('snapshot'), job: jobView }),
  jobEvent,
  z.object({ type: z.literal('heartbeat') }),
]);
export type SocketMessage = z.infer<typeof socketMessage>;

/** The socket is over. `code` is the WebSocket's, or the HTTP status when it was refused before it was one. */
export class SocketEnded extends Error {
  override readonly name = 'SocketEnded';

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** The server speaks every 30 s at least. */
const SILENCE_LIMIT_MS = 75_000;

/**
 * What the server says of a job, until it closes the socket with 1000. Messages of unknown kinds are left out.
 * @throws SocketEnded when it ends in another way; the signal's reason
 */
export async function* jobMessages(
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): AsyncGenerator<SocketMessage> {
  signal.throwIfAborted();
  const socket = new WebSocket(url, { headers, handshakeTimeout: 10_000, perMessageDeflate: false });
  const ended = firstEnd(socket);
  const watchdog = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
  try {
    for await (const [data] of on(socket, 'message', { signal, close: ['close'] })) {
      watchdog.refresh();
      const message = parseMessage(data as WebSocket.RawData);
      if (message) yield message;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw ended() ?? error;
  } finally {
    clearTimeout(watchdog);
    socket.terminate();
  }
  const end = ended() ?? new SocketEnded(1006, 'the connection broke');
  if (end.code !== 1000) throw end;
}

/** The first thing that said how the socket ended: what comes after it is only its echo. */
function firstEnd(socket: WebSocket): () => SocketEnded | null {
  let end: SocketEnded | null = null;
  socket.on('error', (error) => (end ??= new SocketEnded(1006, error.message)));
  socket.on('close', (code, reason) => (end ??= new SocketEnded(code, reason.toString())));
  socket.on('unexpected-response', (_request, response) => {
    end ??= new SocketEnded(response.statusCode ?? 0, 'the gateway refused the socket');
    socket.terminate();
  });
  return () => end;
}

/** What `ws` gives of a message is one buffer, unless it is told otherwise. */
const textOf = (data: WebSocket.RawData): string =>
  Buffer.isBuffer(data) ? data.toString() : Array.isArray(data) ? Buffer.concat(data).toString() : '';

function parseMessage(data: WebSocket.RawData): SocketMessage | null {
  try {
    const value: unknown = JSON.parse(textOf(data));
    return socketMessage.safeParse(value).success ? (value as SocketMessage) : null;
  } catch {
    return null;
  }
}
