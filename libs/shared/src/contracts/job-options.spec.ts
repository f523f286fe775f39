import { catalogOf, HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { noopDefinition } from '#shared/contracts/handlers/noop';
import type { JsonObject } from '#shared/domain/json';
import type { StepDefinition } from '#shared/domain/pipeline';
import { optionFaults } from '#shared/contracts/job-options';

const step = (name: string, uses: string, options: JsonObject): StepDefinition => ({
  ...{ name, uses, needs: [], queue: 'default', max_retries: 3, timeout_ms: null, concurrency: null },
  back_off: { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 300_000, jitter: 0 },
  ...{ resources: {}, isolation: 'inline', options },
});
const STEPS = [step('a', 'noop', { duration_ms: 5 }), step('b', 'plugin', {})];
const closed: typeof noopDefinition = { ...noopDefinition, jobOptions: [] };

const faults = (options: Record<string, JsonObject>): Record<string, string> =>
  Object.fromEntries(
    optionFaults(options, { steps: STEPS }, HANDLER_CATALOG).map(({ path, message }) => [path, message]),
  );

describe("a job's options", () => {
  it('may be what the handler marks, over those of the pipeline', () => {
    expect(faults({ a: { fail_attempts: 2, output: { ok: true } } })).toEqual({});
    expect(faults({ a: {} })).toEqual({});
    expect(faults({})).toEqual({});
  });

  it('are refused where the handler refuses their value', () => {
    expect(Object.keys(faults({ a: { fail_attempts: -1, output: { deep: [] } } }))).toEqual([
      'options.a.fail_attempts',
    ]);
  });

  it('are refused where a job may not set them, and say what it may', () => {
    expect(faults({ a: { command: 'rm', duration_ms: 1 } })).toEqual({
      'options.a.command': expect.stringContaining('a job may set: duration_ms, fail_attempts') as string,
    });
    const handlers = catalogOf([closed]);
    expect(optionFaults({ a: { duration_ms: 1 } }, { steps: STEPS }, handlers)).toEqual([
      { path: 'options.a.duration_ms', message: 'is not an option that a job may set' },
    ]);
  });

  it('are refused for a step that the job does not have, or whose handler nobody knows', () => {
    expect(Object.keys(faults({ c: {}, b: { x: 1 } }))).toEqual(['options.c', 'options.b.x']);
  });
});
