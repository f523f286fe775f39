import { type Command, Option } from 'commander';
import { ERROR_KINDS } from '#shared/contracts/dead-letter';
import { parseTime } from '../arguments/eta';

/** Which dead letters, as it is said on the command line. */
export interface FilterOptions {
  readonly pipeline?: string;
  readonly step?: string;
  readonly kind?: (typeof ERROR_KINDS)[number];
  readonly fingerprint?: string;
  readonly job?: string;
  readonly createdAfter?: string;
  readonly createdBefore?: string;
}

/** As the gateway takes it, in a query or a body. */
export type FilterFields = Partial<
  Record<'pipeline' | 'step' | 'kind' | 'fingerprint' | 'job_id' | 'created_after' | 'created_before', string>
>;

export function addFilterOptions(command: Command): Command {
  return command
    .option('-p, --pipeline <name>', 'only of this pipeline')
    .option('--step <name>', 'only of this step')
    .addOption(new Option('--kind <kind>', 'only with an error of this kind').choices(ERROR_KINDS))
    .option('--fingerprint <fingerprint>', 'only errors that are alike')
    .option('--job <id>', 'only of this job')
    .option('--created-after <time>', 'only those that failed later; local time when it has no offset', parseTime)
    .option('--created-before <time>', 'only those that failed earlier', parseTime);
}

export function filterOf(options: FilterOptions): FilterFields {
  const { pipeline, step, kind, fingerprint, job, createdAfter, createdBefore } = options;
  const all = {
    ...{ pipeline, step, kind, fingerprint, job_id: job },
    ...{ created_after: createdAfter, created_before: createdBefore },
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}
