import { EXIT } from '../exit-codes';
import { oneLine } from '../output/words';
import { GatewayProblem } from '../rest-errors';
import type { Session } from '../session';

export interface Deleted {
  /** Ids of those that are gone. */
  readonly gone: readonly string[];
  /** Of the last that is not; 0 when all are. */
  readonly exitCode: number;
}

/**
 * Deletes one after another, and prints the ids of those that are gone. One that is not there, or cannot be deleted, keeps
 * none of the others from it.
 */
export async function deleteEach(
  { io, printer }: Session,
  ids: readonly string[],
  remove: (id: string) => Promise<void>,
): Promise<Deleted> {
  const gone: string[] = [];
  let exitCode: number = EXIT.ok;
  for (const id of ids) {
    try {
      await remove(id);
      gone.push(id);
    } catch (error) {
      const isOfThisOne = error instanceof GatewayProblem && [404, 409].includes(error.problem.status);
      if (!isOfThisOne || io.signal.aborted) throw error;
      printer.say(`${oneLine(id)}: ${error.message}`);
      exitCode = error.exitCode;
    }
  }
  printer.list(
    gone.map((id) => ({ id })),
    { id: ({ id }) => oneLine(id), columns: [{ title: 'DELETED', cell: ({ id }) => oneLine(id) }] },
  );
  return { gone, exitCode };
}
