import type { Command } from 'commander';
import type { JobView } from '#shared/contracts/job';
import { numberFrom } from '../arguments/values';
import { UsageError } from '../exit-codes';
import { jobsView } from '../output/job-view';
import { startWords } from '../output/start-words';
import type { Session } from '../session';
import { awaitEnd, WaitedTooLong } from '../watching/await-end';
import { sayWhatHelps } from './next-steps';

/** How long a command that starts something stays with it. */
export interface WaitOptions {
  readonly wait?: true;
  readonly follow?: true;
  readonly timeout?: number;
}

/** Node's timers hold no more. */
const MAX_TIMEOUT_SECONDS = 2_000_000;

export function addWaitOptions(command: Command): Command {
  return command
    .option('-w, --wait', 'wait until the job has ended')
    .option('-f, --follow', 'wait, and show every event')
    .option('--timeout <seconds>', 'wait no longer than this', numberFrom(0.001, MAX_TIMEOUT_SECONDS));
}

/** @throws UsageError when only a part of it was said */
export function waits({ wait, follow, timeout }: WaitOptions): boolean {
  const isWaiting = wait === true || follow === true;
  if (timeout !== undefined && !isWaiting) throw new UsageError('--timeout needs --wait or --follow.');
  return isWaiting;
}

/**
 * Stays with the job until it has ended, and prints it.
 * @returns the ended job
 * @throws WaitedTooLong, the job as it was last seen being printed; the signal's reason
 */
export async function waitForEnd(session: Session, job: JobView, options: WaitOptions): Promise<JobView> {
  const { io, printer } = session;
  const start = startWords(job, io.now());
  printer.say(`Job ${job.id} is ${job.status}${start === null ? '' : `: it ${start}`}.`);
  const detail = options.follow === true ? 'events' : 'none';
  try {
    const ended = await awaitEnd(session, job.id, { detail, timeoutSeconds: options.timeout ?? null });
    printer.one(ended, jobsView(io.now()));
    sayWhatHelps(printer, ended);
    return ended;
  } catch (error) {
    if (error instanceof WaitedTooLong) printer.one(error.job ?? job, jobsView(io.now()));
    if (io.signal.aborted) printer.say(`\nThe job goes on. To see it: sluice ingest status ${job.id} --watch`);
    throw error;
  }
}
