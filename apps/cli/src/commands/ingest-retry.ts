import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { EXIT, exitCodeOf } from '../exit-codes';
import { jobsView } from '../output/job-view';
import { startSentence } from '../output/start-words';
import type { Session } from '../session';
import { addWaitOptions, waitForEnd, type WaitOptions, waits } from './wait-options';

interface RetryOptions extends WaitOptions {
  readonly from?: string;
}

const EXAMPLES = `
Examples:
  $ sluice ingest retry 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --follow
  $ sluice ingest retry 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --from documentation

Steps that are completed are not run again, but for the one after --from and what needs it: with --from a completed
job can be run again too. Every step that runs again has its full number of retries. A job that has never begun waits
again, for its time and for the jobs that it needs; those that failed only for this one wait for it again.
With --wait or --follow it ends as the job does: 0 completed, 5 failed, 6 cancelled, 7 out of patience.`;

export function addIngestRetry(parent: Command, context: CliContext): void {
  const command = parent
    .command('retry')
    .summary('let a failed or cancelled job go on')
    .description(
      'Lets a failed or cancelled job go on from its failed steps, with what the others gave. Prints the job.',
    )
    .argument('<id>', 'the id of the job')
    .option('--from <step>', 'begin again at this step');
  addWaitOptions(command).addHelpText('after', EXAMPLES);
  command.action((id: string, options: RetryOptions) => context.act(command, (session) => retry(session, id, options)));
}

async function retry(session: Session, id: string, options: RetryOptions): Promise<number> {
  const isWaiting = waits(options);
  const { io, client, printer } = session;
  const job = await client.retry(id, options.from);
  if (isWaiting) return exitCodeOf((await waitForEnd(session, job, options)).status);
  printer.one(job, jobsView(io.now()));
  printer.say(`${startSentence(job, io.now()) ?? 'It goes on.'} To see it: sluice ingest status ${job.id} --watch`);
  return EXIT.ok;
}
