import type { Command } from 'commander';
import { numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { LOG_LINES } from '../output/recovery-views';

const EXAMPLES = `
Examples:
  $ sluice ingest logs 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice ingest logs 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --step documentation --attempt 2
  $ sluice ingest logs 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d -o jsonl | jq .message`;

export function addIngestLogs(parent: Command, context: CliContext): void {
  const command = parent
    .command('logs')
    .summary('show what the steps of a job have logged')
    .description('Shows what the steps of a job have logged: the last 1,000 lines of each attempt.')
    .argument('<id>', 'the id of the job')
    .option('--step <name>', 'only of this step')
    .option('--attempt <number>', 'only of this attempt', numberFrom(1, 1_000_000, true))
    .addHelpText('after', EXAMPLES);
  command.action((id: string, options: { step?: string; attempt?: number }) =>
    context.act(command, async ({ client, printer }) => {
      const answer = await client.logs(id, { ...options });
      printer.list(answer.items, LOG_LINES, answer);
      if (answer.items.length === 0) printer.say('Nothing was logged.');
    }),
  );
}
