import { type Command, Option } from 'commander';
import type { DeadLetterPage, DeadLetterView } from '#shared/contracts/dead-letter';
import { MAX_PAGE } from '#shared/contracts/ingest-request';
import { numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { DEAD_LETTER_GROUPS, DEAD_LETTERS } from '../output/recovery-views';
import type { Session } from '../session';
import { addFilterOptions, filterOf, type FilterOptions } from './dead-letter-filter';

interface ListOptions extends FilterOptions {
  readonly groups?: true;
  readonly groupBy?: 'fingerprint';
  readonly limit: number;
}

const EXAMPLES = `
Examples:
  $ sluice dead-letters                                  the newest 50
  $ sluice dead-letters list --groups                    what fails most often
  $ sluice dead-letters list --step fetch --kind timeout
  $ sluice dead-letters list --fingerprint 5d1f0c2ab93e7716 -o json`;

export function addDeadLetterList(parent: Command, context: CliContext): void {
  const command = parent
    .command('list', { isDefault: true })
    .summary('list dead letters')
    .description('Lists dead letters, the newest first, or groups of those that are alike, the most frequent first.');
  addFilterOptions(command)
    .option('-g, --groups', 'those with the same fingerprint together')
    .addOption(new Option('--group-by <what>', 'the same as --groups').choices(['fingerprint']))
    .option('-n, --limit <count>', 'how many at most', numberFrom(1, 100_000, true), 50)
    .addHelpText('after', EXAMPLES);
  command.action((options: ListOptions) =>
    context.act(command, (session) =>
      options.groups || options.groupBy ? listGroups(session, options) : list(session, options),
    ),
  );
}

async function list({ client, printer }: Session, options: ListOptions): Promise<void> {
  const { limit } = options;
  const items: DeadLetterView[] = [];
  let page: DeadLetterPage = { items, next_cursor: null, has_more: true };
  while (page.has_more && items.length < limit) {
    const size = Math.min(MAX_PAGE, limit - items.length);
    page = await client.deadLetters({ ...filterOf(options), limit: size, cursor: page.next_cursor ?? undefined });
    items.push(...page.items);
    if (page.items.length === 0) break;
  }
  printer.list(items, DEAD_LETTERS, { ...page, items });
  if (items.length === 0) printer.say('No dead letters.');
  else if (page.has_more && printer.format === 'table')
    printer.say(`There are more; --limit ${limit * 2} shows some of them.`);
}

async function listGroups({ client, printer }: Session, options: ListOptions): Promise<void> {
  const limit = Math.min(MAX_PAGE, options.limit);
  const answer = await client.deadLetterGroups({ ...filterOf(options), limit });
  printer.list(answer.items, DEAD_LETTER_GROUPS, answer);
  if (answer.items.length === 0) printer.say('No dead letters.');
  else if (answer.has_more && printer.format === 'table') printer.say('There are more groups; a filter shows others.');
}
