import type { Command } from 'commander';
import { numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { HITS } from '../output/other-views';

interface SearchOptions {
  readonly repository?: string;
  readonly kind?: string;
  readonly limit: number;
}

const EXAMPLES = `
Examples:
  $ sluice search retry policy
  $ sluice search '"back-off" -jitter' --kind heading
  $ sluice search readme --kind file --limit 5 -o ids`;

export function addSearch(parent: Command, context: CliContext): void {
  const command = parent
    .command('search')
    .summary('search what was ingested')
    .description('Searches names, paths and texts of all that was ingested. The best hits come first.')
    .argument('<words...>', 'what to look for; "a phrase", -without')
    .option('-r, --repository <id>', 'only in this repository')
    .option('-k, --kind <kind>', 'only this kind: repository, directory, file, document, heading, link')
    .option('-n, --limit <count>', 'how many at most', numberFrom(1, 200, true), 20)
    .addHelpText('after', EXAMPLES);
  command.action((words: string[], options: SearchOptions) =>
    context.act(command, async ({ client, printer }) => {
      const answer = await client.search({ q: words.join(' '), ...options });
      printer.list(answer.items, HITS, answer);
      if (answer.items.length === 0) printer.say('Nothing was found.');
    }),
  );
}
