import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedNats, startNatsServer } from '#shared/runtime/embedded/nats-server';
import { testVariable } from './test-environment';

/** A nats-server of one spec's own, that may be killed and robbed of its store. */
export interface TestNats {
  readonly url: string;
  /** Base of its monitoring pages, as in `${monitorUrl}/jsz`. */
  readonly monitorUrl: string;
  /** Of the server that runs now. */
  readonly pid: number;
  /** Kills the server as kill -9 does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and store. */
  start(): Promise<void>;
  /** Removes everything that JetStream stored. Kill the server first. */
  wipeStore(): Promise<void>;
  /** Ends the server and removes its files. */
  stop(): Promise<void>;
}

/** Starts a nats-server with JetStream on a folder of its own. Give it back with `stop` in `afterAll`. `under`: a disk. */
export async function startTestNats(under = tmpdir()): Promise<TestNats> {
  const folder = await mkdtemp(join(under, 'sluice-test-nats-'));
  const program = testVariable('natsServer');
  let server: EmbeddedNats = await startNatsServer({ program, folder });
  const { url, monitorUrl, port, monitorPort } = server;
  return {
    url,
    monitorUrl,
    get pid() {
      return server.pid;
    },
    async kill() {
      server.kill('SIGKILL');
      await server.exited;
    },
    async start() {
      server = await startNatsServer({ program, folder, port, monitorPort });
    },
    wipeStore: () => rm(join(folder, 'jetstream'), { recursive: true, force: true }),
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The server that all specs share: use names that no other spec uses, see `uniqueName`. */
export function sharedNatsUrl(): string {
  return testVariable('natsUrl');
}

/** `prefix_` and something that no other spec has. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomBytes(6).toString('hex')}`;
}
