import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { ATTEMPTS } from '../output/other-views';

const EXAMPLES = `
Examples:
  $ sluice ingest attempts 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice ingest attempts 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d -o jsonl`;

export function addIngestAttempts(parent: Command, context: CliContext): void {
  const command = parent
    .command('attempts')
    .summary('list every attempt of every step of a job')
    .description('Lists every attempt of every step of a job: who ran it, how it ended, what it used.')
    .argument('<id>', 'the id of the job')
    .addHelpText('after', EXAMPLES);
  command.action((id: string) =>
    context.act(command, async ({ client, printer }) => {
      const answer = await client.attempts(id);
      printer.list(answer.items, ATTEMPTS, answer);
      if (answer.items.length === 0) printer.say('No attempts yet.');
    }),
  );
}
