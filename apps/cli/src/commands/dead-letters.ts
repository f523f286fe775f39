import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { addDeadLetterList } from './dead-letters-list';
import { addDeadLetterRedrive } from './dead-letters-redrive';

export function addDeadLetters(parent: Command, context: CliContext): void {
  const group = parent
    .command('dead-letters')
    .summary('look at what failed for good, and let it go on')
    .description('Works with dead letters: steps that have failed for good. Lists them when nothing else is said.');
  addDeadLetterList(group, context);
  addDeadLetterRedrive(group, context);
}
