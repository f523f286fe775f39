import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { counted } from '#shared/domain/words';
import type { Session } from '../session';
import { deleteEach } from './delete-each';

const EXAMPLES = `
Examples:
  $ sluice schedules delete 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d
  $ sluice schedules list --disabled -o ids | xargs sluice schedules delete

The jobs that they made stay, those that run too. To stop one for a while: sluice schedules update ID --disable`;

export function addScheduleDelete(parent: Command, context: CliContext): void {
  const command = parent
    .command('delete')
    .summary('remove schedules')
    .description('Removes schedules. Prints the ids of those that are gone.')
    .argument('<ids...>', 'the ids of the schedules')
    .addHelpText('after', EXAMPLES);
  command.action((ids: string[]) => context.act(command, (session) => remove(session, ids)));
}

async function remove(session: Session, ids: readonly string[]): Promise<number> {
  const { gone, exitCode } = await deleteEach(session, ids, (id) => session.client.deleteSchedule(id));
  if (gone.length > 0) session.printer.say(`${counted(gone.length, 'schedule')} deleted; their jobs stay.`);
  return exitCode;
}
