import { connect } from 'node:net';

/**
 * Whether a nats-server greets at `host:port` within the limit. Asked before each dial, because the client leaves its
 * socket open when it gives up on a server that accepts and says nothing: one more for each try, for hours.
 */
export function isGreeting(
  server: string,
  limitMs: number,
): Promise<{ readonly ok: boolean; readonly reason: string }> {
  const colon = server.lastIndexOf(':');
  const host = server.slice(0, colon).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(server.slice(colon + 1)) });
    const end = (ok: boolean, reason: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ok, reason });
    };
    const timer = setTimeout(() => end(false, `no greeting within ${limitMs} ms`), limitMs);
    socket.once('data', (bytes: Buffer) => {
      const ok = bytes.toString('latin1', 0, 4).toUpperCase() === 'INFO';
      end(ok, ok ? '' : 'the greeting is not that of a nats-server');
    });
    socket.on('error', (error) => end(false, error.message));
    socket.on('close', () => end(false, 'closed without a greeting'));
  });
}
