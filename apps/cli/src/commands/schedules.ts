import type { Command } from 'commander';
import type { CliContext } from '../cli-context';
import { addScheduleCreate } from './schedules-create';
import { addScheduleDelete } from './schedules-delete';
import { addScheduleList, addScheduleShow } from './schedules-list';
import { addScheduleRun } from './schedules-run';
import { addScheduleUpdate } from './schedules-update';

export function addSchedules(parent: Command, context: CliContext): void {
  const group = parent
    .command('schedules')
    .summary('jobs that come again and again')
    .description('Works with schedules, which make jobs at the times of a cron. Lists them when nothing else is said.');
  for (const add of [addScheduleList, addScheduleShow, addScheduleCreate, addScheduleUpdate]) add(group, context);
  for (const add of [addScheduleDelete, addScheduleRun]) add(group, context);
}
