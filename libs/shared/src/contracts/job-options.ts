import type { HandlerDefinition } from '#shared/contracts/handler';
import { dotted, inputFaults } from '#shared/contracts/input-faults';
import type { InputFault } from '#shared/domain/errors';
import type { JsonObject } from '#shared/domain/json';
import type { PipelineDefinition, StepDefinition } from '#shared/domain/pipeline';

/**
 * What is wrong with the options that a job sets over its pipeline's.
 * @param steps the steps that the job has
 */
export function optionFaults(
  options: Readonly<Record<string, JsonObject>>,
  { steps }: Pick<PipelineDefinition, 'steps'>,
  handlers: ReadonlyMap<string, HandlerDefinition>,
): InputFault[] {
  return Object.entries(options).flatMap(([name, given]) => {
    const step = steps.find((each) => each.name === name);
    if (!step) return [{ path: dotted(['options', name]), message: 'the job has no such step' }];
    return faultsOfStep(step, given, handlers.get(step.uses));
  });
}

function faultsOfStep(step: StepDefinition, given: JsonObject, handler: HandlerDefinition | undefined): InputFault[] {
  const forbidden = Object.keys(given).filter((option) => !handler?.jobOptions.includes(option));
  if (forbidden.length > 0 || !handler) {
    const message = handler && handler.jobOptions.length > 0 ? `a job may set: ${handler.jobOptions.join(', ')}` : '';
    return forbidden.map((option) => ({
      path: dotted(['options', step.name, option]),
      message: `is not an option that a job may set${message && `; ${message}`}`,
    }));
  }
  const parsed = handler.options.safeParse({ ...step.options, ...given });
  return parsed.success ? [] : inputFaults(parsed.error, ['options', step.name]);
}
