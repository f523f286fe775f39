import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { counted } from '#shared/domain/words';
import type { Session } from '../session';
import { deleteEach } from './delete-each';

const EXAMPLES = `
Examples:
  $ sluice ingest delete 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice ingest jobs --status cancelled --tag try -o ids | xargs sluice ingest delete

With a job go its attempts, logs and dead letters; what it wrote into the graph stays. Jobs that have not ended, and those
that such a job depends on, are not deleted: cancel them first. Finished jobs go by themselves after SLUICE_RETENTION.
It ends with 0 when all are gone, 1 when one could not be deleted, 4 when there was no such job.`;

export function addIngestDelete(parent: Command, context: CliContext): void {
  const command = parent
    .command('delete')
    .summary('delete jobs that have ended')
    .description('Deletes jobs that have ended, with all that belongs to them. Prints the ids of those that are gone.')
    .argument('<ids...>', 'the ids of the jobs')
    .addHelpText('after', EXAMPLES);
  command.action((ids: string[]) => context.act(command, (session) => remove(session, ids)));
}

async function remove(session: Session, ids: readonly string[]): Promise<number> {
  const { gone, exitCode } = await deleteEach(session, ids, (id) => session.client.deleteJob(id));
  if (gone.length > 0) session.printer.say(`${counted(gone.length, 'job')} deleted.`);
  return exitCode;
}
