import type { Command } from 'commander';
import type { ScheduleView } from '#shared/contracts/schedule';
import type { CliContext } from '../cli-context';
import { UsageError } from '../exit-codes';
import { nextRunSentence, schedulesView } from '../output/schedule-views';
import type { Session } from '../session';
import { jobFields } from './job-options';
import { addScheduleOptions, CRON_HELP, scheduleFields, type ScheduleOptions } from './schedule-options';

interface CreateOptions extends ScheduleOptions {
  readonly disabled?: true;
}

const EXAMPLES = `
Examples:
  $ sluice schedules create . --cron "0 3 * * *" --timezone Europe/Berlin
  $ sluice schedules create --pipeline report --cron "0 8 * * 1-5" --description "the morning's report"
  $ sluice schedules create ~/src/app --cron "*/15 * * * *" --overlap queue --tag nightly
  $ sluice schedules create . --cron "0 0 1 * *" --catch-up none --disabled
${CRON_HELP}`;

export function addScheduleCreate(parent: Command, context: CliContext): void {
  const command = parent
    .command('create')
    .summary('make a schedule')
    .description('Makes a schedule: a job that is submitted at the times of a cron. Prints the schedule.')
    .argument('[source]', 'a folder on the machine of the gateway; git URLs are not taken yet');
  addScheduleOptions(command).option('--disabled', 'make it, but let it not run yet').addHelpText('after', EXAMPLES);
  command.action((source: string | undefined, options: CreateOptions) =>
    context.act(command, (session) => create(session, source, options)),
  );
}

async function create(session: Session, source: string | undefined, options: CreateOptions): Promise<void> {
  const { io, client, printer } = session;
  const { cron } = options;
  if (cron === undefined) throw new UsageError('Say when, with --cron, e.g. --cron "0 3 * * *" for three each night.');
  const job = { ...jobFields(source, options, io.cwd), description: options.jobDescription };
  const enabled = options.disabled ? false : undefined;
  const schedule = await client.createSchedule({ ...scheduleFields(options), cron, job, enabled });
  printer.one(schedule, schedulesView(io.now()));
  printer.say(nextRunSentence(schedule, io.now()));
  sayWhatIsOdd(session, schedule);
}

/** Two settings that are right by themselves and hardly meant together. */
export function sayWhatIsOdd({ printer }: Session, { overlap, catch_up }: ScheduleView): void {
  if (overlap === 'skip' && catch_up === 'all') {
    printer.say('Of several missed runs only the first will start, as --overlap is skip; with queue all of them do.');
  }
}
