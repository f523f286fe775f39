import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { EXIT } from '../exit-codes';
import { counted, oneLine } from '../output/words';
import { GatewayProblem } from '../rest-errors';
import type { Session } from '../session';

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

/** One after another; one that is not there keeps none of the others from it. */
async function remove({ io, client, printer }: Session, ids: readonly string[]): Promise<number> {
  const gone: string[] = [];
  let exitCode: number = EXIT.ok;
  for (const id of ids) {
    try {
      await client.deleteSchedule(id);
      gone.push(id);
    } catch (error) {
      const isOfThisOne = error instanceof GatewayProblem && error.problem.status === 404;
      if (!isOfThisOne || io.signal.aborted) throw error;
      printer.say(`${oneLine(id)}: ${error.message}`);
      exitCode = error.exitCode;
    }
  }
  printer.list(
    gone.map((id) => ({ id })),
    { id: ({ id }) => oneLine(id), columns: [{ title: 'DELETED', cell: ({ id }) => oneLine(id) }] },
  );
  if (gone.length > 0) printer.say(`${counted(gone.length, 'schedule')} deleted; their jobs stay.`);
  return exitCode;
}
