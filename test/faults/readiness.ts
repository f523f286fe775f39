import { until } from '../support/poll';
import type { TestService } from '../support/test-service';

export interface Readiness {
  readonly code: number;
  readonly status: string;
}

/** What `/health/ready` answers. @throws when nothing answers within 5 s */
export async function readinessOf(service: TestService): Promise<Readiness> {
  const response = await fetch(`${service.url}/health/ready`, { signal: AbortSignal.timeout(5_000) });
  const { status } = (await response.json()) as { status: string };
  return { code: response.status, status };
}

/** Resolves, with how many milliseconds it took, when every service answers with its code and status. */
export async function untilReadiness(
  wanted: readonly (readonly [TestService, number, string])[],
  deadlineMs: number,
): Promise<number> {
  const startedAtMs = performance.now();
  for (const [service, code, status] of wanted) {
    await until(
      async () => {
        const found = await readinessOf(service);
        return found.code === code && found.status === status;
      },
      { deadlineMs, everyMs: 100, what: `${code} ${status} from ${service.name}` },
    );
  }
  return performance.now() - startedAtMs;
}
