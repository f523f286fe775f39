import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { UsageError } from '../exit-codes';
import { nextRunSentence, schedulesView } from '../output/schedule-views';
import type { Session } from '../session';
import { jobFields } from './job-options';
import { addScheduleOptions, CRON_HELP, scheduleFields, type ScheduleOptions } from './schedule-options';
import { sayWhatIsOdd } from './schedules-create';

interface UpdateOptions extends ScheduleOptions {
  readonly enable?: true;
  readonly disable?: true;
  readonly source?: string;
}

const EXAMPLES = `
Examples:
  $ sluice schedules update ID --cron "30 4 * * *"
  $ sluice schedules update ID --timezone America/New_York --overlap queue
  $ sluice schedules update ID --priority low --tag nightly
  $ sluice schedules update ID --disable
  $ sluice schedules update ID --enable      what was due meanwhile is not made up for

What is left out stays. Jobs that it has made stay as they are.
${CRON_HELP}`;

export function addScheduleUpdate(parent: Command, context: CliContext): void {
  const command = parent
    .command('update')
    .summary('change a schedule, stop it for a while, let it go on')
    .description('Changes what is named of a schedule. Prints it as it is then.')
    .argument('<id>', 'the id of the schedule');
  addScheduleOptions(command)
    .option('--source <folder>', 'another source')
    .option('--enable', 'let it run again')
    .option('--disable', 'let it not run until it is enabled again')
    .addHelpText('after', EXAMPLES);
  command.action((id: string, options: UpdateOptions) =>
    context.act(command, (session) => update(session, id, options)),
  );
}

async function update(session: Session, id: string, options: UpdateOptions): Promise<void> {
  const { io, client, printer } = session;
  const { enable, disable, source, jobDescription } = options;
  if (enable && disable) throw new UsageError('Give either --enable or --disable.');
  const fields = given({ ...scheduleFields(options), enabled: enable ? true : disable ? false : undefined });
  const ofJob = given({ ...jobFields(source, options, io.cwd), description: jobDescription });
  const hasJob = Object.keys(ofJob).length > 0;
  if (!hasJob && Object.keys(fields).length === 0) {
    throw new UsageError('Say what to change, e.g. --cron, --timezone, --overlap, --enable or --disable.');
  }
  // A job is changed as a whole: what is not named stays as it was.
  const job = hasJob ? { ...(await client.schedule(id)).job, ...ofJob } : undefined;
  const schedule = await client.updateSchedule(id, { ...fields, job });
  printer.one(schedule, schedulesView(io.now()));
  printer.say(nextRunSentence(schedule, io.now()));
  sayWhatIsOdd(session, schedule);
}

const given = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
