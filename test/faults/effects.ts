import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { TestStack } from '../support/stack';
import { EFFECT_STEPS } from './pipelines';

/** A step's effect outside of Sluice. */
export interface EffectCall {
  /** The idempotency key: the same for every attempt of a step. */
  readonly key: string;
  readonly job: string;
  readonly step: string;
  readonly attempt: number;
}

/** For each answer: so that a fault finds many calls under way. */
const ANSWER_AFTER_MS = 5;

/** A server outside of Sluice that `http` steps call: it counts what has really been done, whatever the rows say. */
export class EffectsServer {
  readonly calls: EffectCall[] = [];

  private constructor(private readonly server: Server) {}

  static async start(): Promise<EffectsServer> {
    const server = createServer();
    const effects = new EffectsServer(server);
    // A connection that it closes while a request is on its way would be a fault of another kind.
    server.keepAliveTimeout = 0;
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { job_id: job, step, attempt } = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
        const key = String(request.headers['idempotency-key']);
        effects.calls.push({ key, job: String(job), step: String(step), attempt: Number(attempt) });
        void pause(ANSWER_AFTER_MS).then(() => response.end('{}'));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return effects;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** How often each key was called. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { key } of this.calls) counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }
}

/** Keys of the steps that are recorded as completed. */
export async function committedKeys(stack: TestStack, jobs: readonly string[]): Promise<string[]> {
  const rows = await stack.query<{ key: string }>(
    `SELECT job_id || ':' || ($2::text[])[idx + 1] AS key FROM steps JOIN unnest($1::uuid[]) AS id ON id = job_id
      WHERE status = 'completed'`,
    [jobs, EFFECT_STEPS],
  );
  return rows.map(({ key }) => key);
}
