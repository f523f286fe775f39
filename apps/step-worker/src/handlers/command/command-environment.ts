import type { StepContext } from '#shared/contracts/handler';
import { ENVIRONMENT } from '#shared/runtime/environment';

/**
 * The environment of a program: the worker's without what is Sluice's own or secret, then what the program may want to
 * know of its attempt, then what the step's `env` says.
 * @param worker the worker's
 * @param secretNames variables that hold secrets of steps; with NAME goes NAME_FILE
 * @param own of the step, its secrets read
 */
export function commandEnvironment(
  worker: NodeJS.ProcessEnv,
  secretNames: ReadonlySet<string>,
  context: Pick<StepContext<unknown>, 'jobId' | 'step' | 'attempt' | 'idempotencyKey' | 'input'>,
  own: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const inherited = Object.entries(worker).filter(([name]) => !isWithheld(name, secretNames));
  const { source } = context.input;
  return {
    ...Object.fromEntries(inherited),
    SLUICE_JOB_ID: context.jobId,
    SLUICE_STEP: context.step,
    SLUICE_ATTEMPT: String(context.attempt),
    SLUICE_IDEMPOTENCY_KEY: context.idempotencyKey,
    ...(source === null ? {} : { SLUICE_SOURCE: source }),
    ...own,
  };
}

function isWithheld(name: string, secretNames: ReadonlySet<string>): boolean {
  if (name.startsWith('SLUICE_') || Object.hasOwn(ENVIRONMENT.shape, name)) return true;
  return secretNames.has(name) || secretNames.has(name.replace(/_FILE$/, ''));
}
