import type { z } from 'zod';
import { problem } from '#shared/contracts/job';

const ANSWER_LIMIT_MS = 15_000;

/** The gateway's REST API, as far as the demo goes: every answer is parsed as what the contract says it is. */
export class DemoClient {
  constructor(private readonly baseUrl: string) {}

  get<T>(path: string, shape: z.ZodType<T>): Promise<T> {
    return this.call('GET', path, shape);
  }

  post<T>(path: string, body: unknown, shape: z.ZodType<T>): Promise<T> {
    return this.call('POST', path, shape, JSON.stringify(body));
  }

  /** Address of a WebSocket. */
  socketUrl(path: string): string {
    return `${this.baseUrl.replace(/^http/, 'ws')}${path}`;
  }

  private async call<T>(method: string, path: string, shape: z.ZodType<T>, body?: string): Promise<T> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      method,
      body,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const answer: unknown = await response.json();
    if (response.ok) return shape.parse(answer);
    const { data } = problem.safeParse(answer);
    const faults = (data?.errors ?? []).map(({ path: where, message }) => `${where}: ${message}`);
    throw new Error(
      `${method} ${path}: ${response.status} ${[data?.detail ?? data?.title ?? '', ...faults].join('; ')}`,
    );
  }
}
