import { Command, Option } from 'commander';
import type { CliContext } from './cli-context';
import { addCompletion } from './commands/completion';
import { addConfig } from './commands/config-check';
import { addDeadLetters } from './commands/dead-letters';
import { addPipelines, addWorkers } from './commands/fleet';
import { addIngestAttempts } from './commands/ingest-attempts';
import { addIngestCancel } from './commands/ingest-cancel';
import { addIngestDelete } from './commands/ingest-delete';
import { addIngestJobs } from './commands/ingest-jobs';
import { addIngestLogs } from './commands/ingest-logs';
import { addIngestReschedule } from './commands/ingest-reschedule';
import { addIngestRetry } from './commands/ingest-retry';
import { addIngestStart } from './commands/ingest-start';
import { addIngestStatus } from './commands/ingest-status';
import { addResources } from './commands/resources';
import { addSchedules } from './commands/schedules';
import { addSearch } from './commands/search';
import { FORMATS } from './output/printer';

const HELP = `
Examples:
  $ sluice ingest start . --follow      take this folder in, and see it go
  $ sluice ingest jobs --status failed  what went wrong
  $ sluice ingest retry ID --follow     … and let it go on, once that is mended
  $ sluice ingest start . --countdown 600  … or in ten minutes; ingest reschedule ID --now
  $ sluice search "retry policy"        ask the knowledge graph
  $ sluice schedules create . --cron "0 3 * * *"   take it in every night
  $ sluice resources                    what steps take, what waits, who works
  $ sluice config check                 is pipeline_config.yml right?

Environment:
  SLUICE_URL       where the gateway is (http://127.0.0.1:3000)
  SLUICE_API_KEY   the key to call it with
  NO_COLOR         no colours

Exit codes:
  0 ok · 1 error · 2 usage · 3 not authorised · 4 not found
  5 the job failed · 6 it was cancelled · 7 timed out waiting · 130 interrupted`;

/** Every command. Data goes to the context's stdout, words to its stderr. */
export function buildProgram(context: CliContext, version: string): Command {
  const program = new Command('sluice')
    .description('Submits sources to ingestion pipelines, follows them, and searches what they found.')
    .version(version, '-V, --version')
    .addOption(new Option('-o, --output <format>', 'how data are printed').choices(FORMATS).default('table'))
    .option('--url <url>', 'where the gateway is; else SLUICE_URL')
    .addHelpText('after', HELP)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.io.stdout.write(text),
      writeErr: (text) => context.io.stderr.write(text),
      getOutHelpWidth: () => context.io.stdout.columns ?? 80,
      getErrHelpWidth: () => context.io.stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const ingest = program
    .command('ingest')
    .summary('submit, follow, stop, retry, reschedule and delete jobs')
    .description('Submits jobs, follows them, stops them, lets them go on, gives them another time, deletes them.');
  const ofJobs = [addIngestStart, addIngestStatus, addIngestJobs, addIngestCancel, addIngestRetry, addIngestReschedule];
  for (const add of [...ofJobs, addIngestAttempts, addIngestLogs, addIngestDelete]) add(ingest, context);
  const ofFleet = [addResources, addWorkers, addPipelines];
  for (const add of [addSearch, addSchedules, addDeadLetters, ...ofFleet, addConfig, addCompletion]) {
    add(program, context);
  }
  return program;
}
