import { commandLineOf } from '#shared/runtime/embedded/process-identity';
import { until } from './poll';

/** Whether a process lives. One that has ended but was not yet collected by its parent does not. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await commandLineOf(pid)) !== undefined;
}

/** Resolves when none of the processes lives any more. */
export async function untilGone(pids: readonly number[], deadlineMs = 10_000): Promise<void> {
  const noneLeft = async (): Promise<boolean> => !(await Promise.all(pids.map(isAlive))).some(Boolean);
  await until(noneLeft, { deadlineMs, what: `the end of the processes ${pids.join(', ')}` });
}
