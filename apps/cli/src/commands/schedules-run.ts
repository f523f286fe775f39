import type { Command } from 'commander';
import { isEnded } from '#shared/domain/status';
import type { CliContext } from '../cli-context';
import { EXIT, exitCodeOf } from '../exit-codes';
import { jobsView } from '../output/job-view';
import type { Session } from '../session';
import { addWaitOptions, waitForEnd, type WaitOptions, waits } from './wait-options';

const EXAMPLES = `
Examples:
  $ sluice schedules run 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice schedules run 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --follow

It runs whether the schedule is enabled or not, and whatever else of it runs.
With --wait or --follow it ends as the job does: 0 completed, 5 failed, 6 cancelled, 7 out of patience.`;

export function addScheduleRun(parent: Command, context: CliContext): void {
  const command = parent
    .command('run')
    .summary('run a schedule now')
    .description('Makes a job of a schedule now, besides those that are due. Prints the job.')
    .argument('<id>', 'the id of the schedule');
  addWaitOptions(command).addHelpText('after', EXAMPLES);
  command.action((id: string, options: WaitOptions) => context.act(command, (session) => run(session, id, options)));
}

async function run(session: Session, id: string, options: WaitOptions): Promise<number> {
  const isWaiting = waits(options);
  const { io, client, printer } = session;
  const job = await client.runSchedule(id);
  if (isWaiting) return exitCodeOf((await waitForEnd(session, job, options)).status);
  printer.one(job, jobsView(io.now()));
  if (!isEnded(job.status)) printer.say(`Accepted. To see it go: sluice ingest status ${job.id} --watch`);
  return EXIT.ok;
}
