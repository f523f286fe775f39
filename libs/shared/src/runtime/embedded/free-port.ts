import { createServer } from 'node:net';

/** Below every system's range of outgoing ports, so that no outgoing connection takes a port while its server is down. */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const TRIES = 200;

/**
 * Finds a port on which nothing listens.
 * Another process may take it before the caller does: be ready to ask for a new one.
 * @param host address to listen on
 * @throws when no port is free after many tries
 */
export async function findFreePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} on ${host}`);
}

/** Tells whether `port` can be listened on at `host` right now. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
