import type { Command } from 'commander';
import { MAX_PAGE } from '#shared/contracts/ingest-request';
import type { SchedulePage, ScheduleView } from '#shared/contracts/schedule';
import { numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { UsageError } from '../exit-codes';
import { schedulesView } from '../output/schedule-views';
import type { Session } from '../session';

interface ListOptions {
  readonly enabled?: true;
  readonly disabled?: true;
  readonly limit: number;
}

const EXAMPLES = `
Examples:
  $ sluice schedules                     the newest 50: when they run next, and how the last job went
  $ sluice schedules list --disabled
  $ sluice schedules list -o jsonl`;

export function addScheduleList(parent: Command, context: CliContext): void {
  const command = parent
    .command('list', { isDefault: true })
    .summary('list schedules')
    .description('Lists schedules, the newest first.')
    .option('--enabled', 'only those that are enabled')
    .option('--disabled', 'only those that are not')
    .option('-n, --limit <count>', 'how many at most', numberFrom(1, 100_000, true), 50)
    .addHelpText('after', EXAMPLES);
  command.action((options: ListOptions) => context.act(command, (session) => list(session, options)));
}

async function list({ io, client, printer }: Session, { enabled, disabled, limit }: ListOptions): Promise<void> {
  if (enabled && disabled) throw new UsageError('Give either --enabled or --disabled.');
  const filter = enabled ? { enabled: 'true' } : disabled ? { enabled: 'false' } : {};
  const items: ScheduleView[] = [];
  let page: SchedulePage = { items, next_cursor: null, has_more: true };
  while (page.has_more && items.length < limit) {
    const size = Math.min(MAX_PAGE, limit - items.length);
    page = await client.schedules({ ...filter, limit: size, cursor: page.next_cursor ?? undefined });
    items.push(...page.items);
    if (page.items.length === 0) break;
  }
  printer.list(items, schedulesView(io.now()), { ...page, items });
  if (items.length === 0) printer.say('No schedules. To make one: sluice schedules create --help');
  else if (page.has_more && printer.format === 'table')
    printer.say(`There are more; --limit ${limit * 2} shows some of them.`);
}

const SHOW_EXAMPLES = `
Examples:
  $ sluice schedules show 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d`;

export function addScheduleShow(parent: Command, context: CliContext): void {
  const command = parent
    .command('show')
    .summary('show one schedule: its job, its next runs, its last jobs')
    .description('Shows a schedule: its job, its next runs and its last jobs.')
    .argument('<id>', 'the id of the schedule')
    .addHelpText('after', SHOW_EXAMPLES);
  command.action((id: string) =>
    context.act(command, async ({ io, client, printer }) => {
      printer.one(await client.schedule(id), schedulesView(io.now()));
    }),
  );
}
