import type { Command } from 'commander';
import { isEnded } from '#shared/domain/status';
import { numberFrom } from '../arguments/values';
import type { CliContext } from '../cli-context';
import { EXIT, exitCodeOf } from '../exit-codes';
import { jobsView } from '../output/job-view';
import type { Session } from '../session';
import { waitForEnd, type WaitOptions, waits } from './wait-options';

const EXAMPLES = `
Examples:
  $ sluice ingest cancel 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice ingest stop 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --wait --timeout 60

Steps that wait are cancelled at once, those that run are told to stop. A job that has ended stays as it is.
With --wait it ends with 0 when the job is cancelled or completed, 5 when it has failed, 7 out of patience.`;

export function addIngestCancel(parent: Command, context: CliContext): void {
  const command = parent
    .command('cancel')
    .alias('stop')
    .summary('stop a job')
    .description('Cancels a job, whatever it is at. Prints the job.')
    .argument('<id>', 'the id of the job')
    .option('-w, --wait', 'wait until it has stopped')
    .option('--timeout <seconds>', 'wait no longer than this', numberFrom(0.001, 2_000_000))
    .addHelpText('after', EXAMPLES);
  command.action((id: string, options: WaitOptions) => context.act(command, (session) => cancel(session, id, options)));
}

async function cancel(session: Session, id: string, options: WaitOptions): Promise<number> {
  const isWaiting = waits(options);
  const { io, client, printer } = session;
  const job = await client.cancel(id);
  if (job.status === 'cancelling' && isWaiting) {
    const ended = await waitForEnd(session, job, options);
    return ended.status === 'cancelled' ? EXIT.ok : exitCodeOf(ended.status);
  }
  printer.one(job, jobsView(io.now()));
  if (!isEnded(job.status)) {
    printer.say(`It is being cancelled. To see it end: sluice ingest status ${job.id} --watch`);
  } else if (job.status !== 'cancelled') {
    printer.say(`It had ended before: it is ${job.status}.`);
  }
  return isWaiting && job.status === 'failed' ? EXIT.jobFailed : EXIT.ok;
}
