import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { EXIT } from '../exit-codes';
import { PIPELINES, WORKERS } from '../output/other-views';

export function addWorkers(parent: Command, context: CliContext): void {
  const command = parent
    .command('workers')
    .summary('list workers')
    .description('Lists the workers: alive or gone, how many steps they run, what they use.')
    .addHelpText('after', '\nExamples:\n  $ sluice workers\n  $ sluice workers -o jsonl | jq .running');
  command.action(() =>
    context.act(command, async ({ client, printer }) => {
      const answer = await client.workers();
      printer.list(answer.items, WORKERS, answer);
      if (answer.items.length === 0) printer.say('No workers.');
    }),
  );
}

export function addPipelines(parent: Command, context: CliContext): void {
  const command = parent
    .command('pipelines')
    .summary('list pipelines')
    .description('Lists the pipelines that jobs can be submitted to, with their steps.')
    .addHelpText('after', '\nExamples:\n  $ sluice pipelines\n  $ sluice pipelines -o json');
  command.action(() =>
    context.act(command, async ({ client, printer }) => {
      const answer = await client.pipelines();
      printer.list(answer.items, PIPELINES, answer);
      return EXIT.ok;
    }),
  );
}
