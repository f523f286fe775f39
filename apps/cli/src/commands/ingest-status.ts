import type { Command } from 'commander';
import type { JobView } from '#shared/contracts/job';
import type { CliContext } from '../cli-context';
import { exitCodeOf, EXIT } from '../exit-codes';
import { jobsView } from '../output/job-view';
import { startWords } from '../output/start-words';
import { percent } from '#shared/domain/words';
import { oneLine } from '../output/words';
import type { Session } from '../session';
import { awaitEnd } from '../watching/await-end';
import { sayWhatHelps } from './next-steps';

const EXAMPLES = `
Examples:
  $ sluice ingest status 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice ingest status 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d --watch
  $ sluice ingest status 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d -o json

With --watch it ends as the job does: 0 completed, 5 failed, 6 cancelled.`;

export function addIngestStatus(parent: Command, context: CliContext): void {
  const command = parent
    .command('status')
    .summary('show a job and its steps')
    .description('Shows where a job is: its steps, their progress, retries and last errors.')
    .argument('<id>', 'the id of the job')
    .option('-w, --watch', 'follow it until it has ended')
    .addHelpText('after', EXAMPLES);
  command.action((id: string, { watch }: { watch?: true }) =>
    context.act(command, (session) => (watch ? watchStatus(session, id) : showStatus(session, id))),
  );
}

async function showStatus(session: Session, id: string): Promise<number> {
  const { io, client, printer } = session;
  const job = await client.job(id);
  printer.one(job, jobsView(io.now()));
  if (printer.format === 'table' && startWords(job, io.now()) !== null) await sayWhatItNeeds(session, job);
  sayWhatHelps(printer, job);
  return EXIT.ok;
}

/** Of how many of the jobs that it needs it is asked how they stand. */
const ASKED = 20;

/** Which of the jobs that a held one needs have not ended well yet, and how they stand. */
async function sayWhatItNeeds({ client, printer }: Session, { depends_on: ids }: JobView): Promise<void> {
  const needed = await Promise.all(ids.slice(0, ASKED).map((id) => client.job(id).catch(() => null)));
  const open = needed.filter((job) => job !== null).filter(({ status }) => status !== 'completed');
  if (open.length > 0) {
    const words = open.map(({ id, status, progress }) => `${oneLine(id)} (${status}, ${percent(progress)})`);
    printer.say(`Not completed yet: ${words.join(', ')}`);
  }
}

async function watchStatus(session: Session, id: string): Promise<number> {
  const { io, client, printer } = session;
  // First asked for, so that a wrong id or address is an error at once and not something to wait out.
  await client.job(id);
  try {
    const ended = await awaitEnd(session, id, { detail: 'events', timeoutSeconds: null });
    printer.one(ended, jobsView(io.now()));
    sayWhatHelps(printer, ended);
    return exitCodeOf(ended.status);
  } catch (error) {
    if (io.signal.aborted) printer.say('\nThe job goes on.');
    throw error;
  }
}
