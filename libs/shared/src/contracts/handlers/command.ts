import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { textOrSecret, VARIABLE_NAME } from '#shared/contracts/handlers/text-or-secret';

/** What the system can hand to a program. */
const isSystemText = (text: string): boolean => !text.includes('\0');

const argument = z.string().refine(isSystemText, 'a text without NUL');

const commandOptions = z.strictObject({
  command: z.tuple([argument.min(1)], argument).describe('The program and its arguments. No shell looks at them.'),
  permanent_exit_codes: z
    .array(z.int().min(1).max(255))
    .default([])
    .describe('Exit codes that mean: trying again cannot help.'),
  env: z
    .record(z.string().regex(VARIABLE_NAME, 'the name of a variable'), textOrSecret(isSystemText, 'a text'))
    .default({})
    .describe('Environment variables: a text, or { secret: NAME } of the environment of the worker.'),
  cwd: argument
    .min(1)
    .nullable()
    .default(null)
    .describe('The folder that it runs in; the working folder of the worker when left out.'),
});

export type CommandOptions = z.infer<typeof commandOptions>;

export const commandDefinition: HandlerDefinition<CommandOptions> = {
  name: 'command',
  description: 'Runs a program with the job on its standard input; its last line of output is the output of the step.',
  options: commandOptions,
  jobOptions: [],
  repeatable: false,
};
