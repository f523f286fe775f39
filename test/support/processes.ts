import { readdir } from 'node:fs/promises';
import { commandLineOf } from '#shared/runtime/embedded/process-identity';
import { until } from './poll';

/** Whether a process lives. One that has ended but was not yet collected by its parent does not. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await commandLineOf(pid)) !== undefined;
}

/** Pids of the processes that have the text in their command line. Linux only. */
export async function pidsNaming(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const lines = await Promise.all(pids.map(commandLineOf));
  return pids.filter((_, index) => lines[index]?.includes(text));
}

/** Resolves when none of the processes lives any more. */
export async function untilGone(pids: readonly number[], deadlineMs = 10_000): Promise<void> {
  const noneLeft = async (): Promise<boolean> => !(await Promise.all(pids.map(isAlive))).some(Boolean);
  await until(noneLeft, { deadlineMs, what: `the end of the processes ${pids.join(', ')}` });
}
