import { InvalidArgumentError, Option, type Command } from 'commander';
import { LIST_SORTS, LIST_STATUSES, type ListSort, MAX_PAGE } from '#shared/contracts/ingest-request';
import type { JobPage, JobView } from '#shared/contracts/job';
import { addToList, numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { jobsView } from '../output/job-view';
import type { Session } from '../session';

interface JobsOptions {
  readonly status?: readonly string[];
  readonly pipeline?: string;
  readonly tag?: string;
  readonly schedule?: string;
  readonly sort?: ListSort;
  readonly limit: number;
}

const EXAMPLES = `
Examples:
  $ sluice ingest jobs                                   the newest 50
  $ sluice ingest jobs --status running,retrying
  $ sluice ingest jobs --status scheduled                what is to start, the soonest first
  $ sluice ingest jobs --tag nightly --limit 500
  $ sluice ingest jobs --status failed -o ids            ids alone, one a line
  $ sluice ingest jobs -o jsonl | jq .last_error`;

const STATUSES: readonly string[] = LIST_STATUSES;

export function addIngestJobs(parent: Command, context: CliContext): void {
  const command = parent
    .command('jobs')
    .summary('list jobs')
    .description('Lists jobs, the newest first; when only scheduled ones are asked for, the one that starts soonest.')
    .option('-s, --status <status>', `only these: ${STATUSES.join(', ')}`, addStatus)
    .option('-p, --pipeline <name>', 'only of this pipeline')
    .option('--tag <tag>', 'only with this tag')
    .option('--schedule <id>', 'only those that this schedule has made')
    .addOption(new Option('--sort <order>', 'by what, with - the other way round').choices(LIST_SORTS))
    .option('-n, --limit <count>', 'how many at most', numberFrom(1, 100_000, true), 50)
    .addHelpText('after', EXAMPLES);
  command.action((options: JobsOptions) => context.act(command, (session) => listJobs(session, options)));
}

function addStatus(text: string, before: readonly string[] = []): string[] {
  const statuses = addToList(text, before);
  if (statuses.every((status) => STATUSES.includes(status))) return statuses;
  throw new InvalidArgumentError(`Allowed are ${STATUSES.join(', ')}.`);
}

async function listJobs({ io, client, printer }: Session, options: JobsOptions): Promise<void> {
  const { limit, sort, schedule, ...others } = options;
  const filter = { ...others, schedule_id: schedule };
  const order = sort ?? (filter.status?.join() === 'scheduled' ? 'eta' : undefined);
  const items: JobView[] = [];
  let page: JobPage = { items, next_cursor: null, has_more: true };
  while (page.has_more && items.length < limit) {
    const size = Math.min(MAX_PAGE, limit - items.length);
    page = await client.jobs({ ...filter, sort: order, limit: size, cursor: page.next_cursor ?? undefined });
    items.push(...page.items);
    if (page.items.length === 0) break;
  }
  printer.list(items, jobsView(io.now()), { ...page, items });
  if (items.length === 0) printer.say('No jobs.');
  else if (page.has_more && printer.format === 'table')
    printer.say(`There are more; --limit ${limit * 2} shows some of them.`);
}
