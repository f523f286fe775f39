import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { EXIT, UsageError } from '../exit-codes';
import { REDRIVE, type RedriveSummary } from '../output/recovery-views';
import { counted } from '#shared/domain/words';
import { oneLine } from '../output/words';
import { GatewayProblem } from '../rest-errors';
import type { Session } from '../session';
import { addFilterOptions, filterOf, type FilterOptions } from './dead-letter-filter';

interface RedriveOptions extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: true;
}

const EXAMPLES = `
Examples:
  $ sluice dead-letters redrive 7c1d9f6e-0a4b-4f52-9d0e-5b8f3a2c1d4e
  $ sluice dead-letters redrive --fingerprint 5d1f0c2ab93e7716 --dry-run
  $ sluice dead-letters redrive --pipeline repository --created-after 2030-01-31T18:00
  $ sluice dead-letters redrive --all

A redrive is a retry of the job: it goes on from its failed steps. Jobs that still run are skipped.
It asks nothing; --dry-run says how many there are.`;

export function addDeadLetterRedrive(parent: Command, context: CliContext): void {
  const command = parent
    .command('redrive')
    .summary('let the jobs of dead letters go on')
    .description('Redrives dead letters: those named, those that a filter matches, or all.')
    .argument('[ids...]', 'the ids of the dead letters');
  addFilterOptions(command)
    .option('--all', 'all that there are')
    .option('--dry-run', 'say how many there are, and do nothing')
    .addHelpText('after', EXAMPLES);
  command.action((ids: string[], options: RedriveOptions) =>
    context.act(command, (session) => redrive(session, ids, options)),
  );
}

async function redrive(session: Session, ids: readonly string[], options: RedriveOptions): Promise<number> {
  const filter = filterOf(options);
  const hasFilter = Object.keys(filter).length > 0;
  const ways = [ids.length > 0, hasFilter, options.all === true].filter(Boolean).length;
  if (ways === 0) throw new UsageError('Say which: ids, a filter like --fingerprint, or --all.');
  if (ways > 1) throw new UsageError('Give either ids, or a filter, or --all.');
  if (ids.length === 0) return redriveMatching(session, filter, options.dryRun === true);
  if (options.dryRun) throw new UsageError('--dry-run goes with a filter or --all; `sluice dead-letters` lists them.');
  return redriveEach(session, ids);
}

async function redriveMatching({ client, printer }: Session, filter: object, dryRun: boolean): Promise<number> {
  const result = await client.redriveMany({ filter, dry_run: dryRun });
  if (printer.format !== 'ids') printer.one(result, REDRIVE);
  const { matched, done, skipped } = result;
  if (dryRun) printer.say(`${counted(matched, 'dead letter')} would be redriven or skipped; nothing was done.`);
  else if (matched === 0) printer.say('No dead letters.');
  else if (skipped > 0) printer.say(`${counted(skipped, 'dead letter')} skipped: the jobs still run.`);
  const left = matched - done - skipped;
  if (!dryRun && left > 0) printer.say(`${left} are left: the same command takes them up.`);
  return EXIT.ok;
}

/** One after another; one that cannot be redriven keeps none of the others from it. */
async function redriveEach({ io, client, printer }: Session, ids: readonly string[]): Promise<number> {
  const jobs: string[] = [];
  let exitCode: number = EXIT.ok;
  for (const id of ids) {
    try {
      jobs.push((await client.redrive(id)).id);
    } catch (error) {
      const isOfThisOne = error instanceof GatewayProblem && [404, 409].includes(error.problem.status);
      if (!isOfThisOne || io.signal.aborted) throw error;
      printer.say(`${oneLine(id)}: ${error.message}`);
      exitCode = error.exitCode;
    }
  }
  const summary: RedriveSummary = {
    ...{ matched: ids.length, done: jobs.length, skipped: ids.length - jobs.length },
    jobs,
  };
  if (printer.format !== 'ids' || jobs.length > 0) printer.one(summary, REDRIVE);
  return exitCode;
}
