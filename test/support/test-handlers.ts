import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A step of the handlers in handler-module.cjs that has begun. */
export interface Effect {
  readonly jobId: string;
  readonly step: string;
  readonly attempt: number;
  /** Of the worker that it began in. */
  readonly pid: number;
}

/** What a stack's services need to know the handlers `test_…`, and the file that these write their effects to. */
export const testHandlers = (effectsFile: string): NodeJS.ProcessEnv => ({
  SLUICE_INTERNAL_HANDLERS: join(__dirname, 'handler-module.cjs'),
  SLUICE_TEST_EFFECTS: effectsFile,
});

/** Every begin so far, also of attempts that were lost. */
export async function readEffects(effectsFile: string): Promise<Effect[]> {
  const text = await readFile(effectsFile, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Effect);
}
