import { Option, type Command } from 'commander';
import { CATCH_UPS, type CatchUp } from '#shared/domain/schedule/catch-up';
import { OVERLAPS, type Overlap } from '#shared/domain/schedule/overlap';
import { addJobOptions, type JobOptions } from './job-options';

/** What can be said of a schedule, when it is made and later. */
export interface ScheduleOptions extends JobOptions {
  readonly cron?: string;
  readonly timezone?: string;
  readonly overlap?: Overlap;
  readonly catchUp?: CatchUp;
  readonly description?: string;
  readonly jobDescription?: string;
}

export const CRON_HELP = `
The cron: minute hour day-of-month month day-of-week, or six fields with the second first.
  "*/15 * * * *"     every quarter of an hour      "0 8 * * 1-5"   at eight on working days
  "30 2 1 * *"       on the first of each month    "0 0 * * 5L"    on the last Friday of each month
  "*/10 * * * * *"   every ten seconds
In the zone's clock: a time that is skipped in spring comes right after the gap, one that comes twice in autumn the
first time only; * and */n go on in real time.`;

export function addScheduleOptions(command: Command): Command {
  command
    .option('-c, --cron <fields>', 'when: five fields, or six with the second first')
    .option('-z, --timezone <name>', 'whose clock, like Europe/Berlin (the gateway takes UTC when left out)')
    .addOption(
      new Option('--overlap <what>', 'while its last job goes on: skip the run, queue it, allow both').choices(
        OVERLAPS,
      ),
    )
    .addOption(
      new Option('--catch-up <what>', 'after an outage: none of the missed runs, the last, all').choices(CATCH_UPS),
    )
    .option('--description <text>', 'what the schedule is for')
    .option('--job-description <text>', 'what its jobs are for');
  return addJobOptions(command);
}

/** What was said of the schedule but for its job, as the gateway takes it. */
export function scheduleFields({ cron, timezone, overlap, catchUp, description }: ScheduleOptions) {
  return { cron, timezone, overlap, catch_up: catchUp, description };
}
