import type { Command } from 'commander';
import { parseCountdown, parseEta } from '../arguments/eta';
import type { CliContext } from '../cli-context';
import { EXIT, exitCodeOf, UsageError } from '../exit-codes';
import { jobsView } from '../output/job-view';
import { startSentence } from '../output/start-words';
import type { Session } from '../session';
import { addWaitOptions, waitForEnd, type WaitOptions, waits } from './wait-options';

interface RescheduleOptions extends WaitOptions {
  readonly now?: true;
  readonly eta?: string | number;
  readonly countdown?: number;
}

const EXAMPLES = `
Examples:
  $ sluice ingest reschedule 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --now --follow
  $ sluice ingest reschedule 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --eta 2030-01-31T18:30   local time
  $ sluice ingest reschedule 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --countdown 600

Only a job that is scheduled has a time to change. One that also needs other jobs goes on to wait for them.
With --wait or --follow it ends as the job does: 0 completed, 5 failed, 6 cancelled, 7 out of patience.`;

export function addIngestReschedule(parent: Command, context: CliContext): void {
  const command = parent
    .command('reschedule')
    .summary('give a scheduled job another time, or run it now')
    .description('Gives a scheduled job another time, or starts it now. Prints the job.')
    .argument('<id>', 'the id of the job')
    .option('--now', 'start at once')
    .option('--eta <time>', 'start then: ISO 8601, local time when it has no offset, or Unix seconds', parseEta)
    .option('--countdown <seconds>', 'start in so many seconds from now', parseCountdown);
  addWaitOptions(command).addHelpText('after', EXAMPLES);
  command.action((id: string, options: RescheduleOptions) =>
    context.act(command, (session) => reschedule(session, id, options)),
  );
}

async function reschedule(session: Session, id: string, options: RescheduleOptions): Promise<number> {
  const isWaiting = waits(options);
  const start = startOf(options);
  const { io, client, printer } = session;
  const job = await client.reschedule(id, start);
  if (isWaiting) return exitCodeOf((await waitForEnd(session, job, options)).status);
  printer.one(job, jobsView(io.now()));
  printer.say(`${startSentence(job, io.now()) ?? 'It starts.'} To see it go: sluice ingest status ${job.id} --watch`);
  return EXIT.ok;
}

/** @throws UsageError when not exactly one start was said */
function startOf({ now, eta, countdown }: RescheduleOptions): { eta: string | number } | { countdown: number } {
  const starts = [
    ...(now === true ? [{ countdown: 0 }] : []),
    ...(eta === undefined ? [] : [{ eta }]),
    ...(countdown === undefined ? [] : [{ countdown }]),
  ];
  const [start] = starts;
  if (start && starts.length === 1) return start;
  throw new UsageError('Say when: one of --now, --eta and --countdown.');
}
