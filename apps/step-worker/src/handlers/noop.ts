import { setTimeout as sleep } from 'node:timers/promises';
import type { StepContext, StepHandler } from '#shared/contracts/handler';
import { noopDefinition, type NoopOptions } from '#shared/contracts/handlers/noop';
import type { JsonObject } from '#shared/domain/json';
import { PermanentError, TransientError } from '#shared/domain/step-errors';

/** Does nothing, for as long and with what end its options say. */
export class NoopHandler implements StepHandler<NoopOptions> {
  readonly definition = noopDefinition;

  async run(context: StepContext<NoopOptions>): Promise<JsonObject> {
    const { options, attempt } = context;
    if (options.duration_ms > 0) await sleep(options.duration_ms, undefined, { signal: context.signal });
    if (attempt > options.fail_attempts) return options.output;
    const message = `attempt ${attempt} of ${options.fail_attempts} that are to fail`;
    throw options.fail_with === 'permanent'
      ? new PermanentError(message, 'noop_failed')
      : new TransientError(message, 'noop_failed');
  }
}
