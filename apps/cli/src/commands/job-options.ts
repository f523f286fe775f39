import { Option, type Command } from 'commander';
import { PRIORITIES, type Priority } from '#shared/domain/status';
import type { JsonObject } from '#shared/domain/json';
import { addAssignment, type StepOptions } from '../arguments/option-assignments';
import { absoluteSource, addOne, addToList, parseInput } from '../arguments/values';

/** What of a job does not say when it starts. */
export interface JobOptions {
  readonly pipeline?: string;
  readonly branch?: string;
  readonly priority?: Priority;
  readonly steps?: string[];
  readonly option?: StepOptions;
  readonly input?: JsonObject;
  readonly tag?: string[];
}

/** The options of a job, for commands that submit one, now or later. */
export function addJobOptions(command: Command): Command {
  return (
    command
      .option('-p, --pipeline <name>', 'the pipeline (the gateway takes "repository" when left out)')
      .addOption(new Option('--priority <level>', 'which jobs go first').choices(PRIORITIES))
      .option('--steps <names>', 'run only these steps and what they need, separated by commas', addToList)
      .option('--option <step.key=value>', 'an option of a step, as JSON or text; again for more', addAssignment)
      .option('--input <json>', 'an object that is handed to the steps', parseInput)
      .option('--tag <tag>', 'a tag to find the job by; again for more', addOne)
      // Git sources are refused today; the option is here for gateways that take them.
      .addOption(new Option('--branch <name>', 'the branch of a git repository').hideHelp())
  );
}

/** What was said of the job, as the gateway takes it: the rest is left to its defaults. */
export function jobFields(source: string | undefined, options: JobOptions, cwd: string) {
  return {
    pipeline: options.pipeline,
    source: source === undefined ? undefined : absoluteSource(source, cwd),
    branch: options.branch,
    priority: options.priority,
    steps: options.steps,
    options: options.option,
    input: options.input,
    tags: options.tag,
  };
}
