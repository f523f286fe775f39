import type { LogLevel, StepContext } from '#shared/contracts/handler';
import type { JsonObject } from '#shared/domain/json';

export interface TestContext extends StepContext<unknown> {
  /** What the handler reported. */
  readonly reported: [number, string | undefined][];
  readonly lines: [LogLevel, string][];
}

/** The context of one attempt of a handler, with options that its own schema has parsed. */
export function contextFor(
  { definition }: { readonly definition: { readonly options: { parse(options: unknown): unknown } } },
  options: JsonObject,
  over: Partial<StepContext<unknown>> = {},
): TestContext {
  const reported: TestContext['reported'] = [];
  const lines: TestContext['lines'] = [];
  return {
    ...{ jobId: 'job-1', step: 'fetch', attempt: 2, idempotencyKey: 'job-1:fetch', outputs: { before: { b: 2 } } },
    input: { source: '/src', source_type: 'local_path', branch: null, commit: null, input: { a: 1 } },
    options: definition.options.parse(options),
    signal: new AbortController().signal,
    progress: (percent, message) => void reported.push([percent, message]),
    log: (level, message) => void lines.push([level, message]),
    reported,
    lines,
    ...over,
  };
}
