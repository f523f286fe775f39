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
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await faultOfPort(port, host)) === undefined;
}

/** Why `port` cannot be listened on at `host` right now, e.g. `EADDRINUSE`; undefined when it can. */
export function faultOfPort(port: number, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
