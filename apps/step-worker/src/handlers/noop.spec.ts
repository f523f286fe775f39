import type { StepContext } from '#shared/contracts/handler';
import { noopDefinition, type NoopOptions } from '#shared/contracts/handlers/noop';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { NoopHandler } from './noop';

function context(options: Partial<NoopOptions>, attempt = 1, signal = new AbortController().signal) {
  const run: StepContext<NoopOptions> = {
    ...{ jobId: 'job', step: 'step', attempt, idempotencyKey: 'key', outputs: {}, signal },
    input: { source: null, source_type: null, branch: null, commit: null, input: {} },
    options: noopDefinition.options.parse(options),
    progress: () => undefined,
    log: () => undefined,
  };
  return run;
}

describe('noop', () => {
  const noop = new NoopHandler();

  it('gives the output of its options', async () => {
    expect(await noop.run(context({}))).toEqual({});
    expect(await noop.run(context({ output: { a: [1, null] }, duration_ms: 1 }))).toEqual({ a: [1, null] });
  });

  it('fails as many attempts as it is told, as it is told', async () => {
    await expect(noop.run(context({ fail_attempts: 2 }, 2))).rejects.toThrow(TransientError);
    await expect(noop.run(context({ fail_attempts: 1, fail_with: 'permanent' }))).rejects.toThrow(PermanentError);
    await expect(noop.run(context({ fail_attempts: 2 }, 3))).resolves.toEqual({});
  });

  it('stops at once when its attempt must end', async () => {
    const abort = new AbortController();
    const running = noop.run(context({ duration_ms: 60_000 }, 1, abort.signal));
    abort.abort();
    await expect(running).rejects.toThrow('aborted');
  });
});
