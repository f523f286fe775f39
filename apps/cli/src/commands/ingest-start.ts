import { Option, type Command } from 'commander';
import { isEnded } from '#shared/domain/status';
import { DEPENDENCY_FAILURES, type DependencyFailure } from '#shared/domain/turn/job-hold';
import type { IngestRequest } from '../rest-client';
import type { CliContext } from '../cli-context';
import { parseCountdown, parseEta } from '../arguments/eta';
import { addIds } from '../arguments/values';
import { EXIT, exitCodeOf, UsageError } from '../exit-codes';
import { jobsView } from '../output/job-view';
import { startSentence } from '../output/start-words';
import type { Session } from '../session';
import { addJobOptions, jobFields, type JobOptions } from './job-options';
import { addWaitOptions, waitForEnd, type WaitOptions, waits } from './wait-options';

interface StartOptions extends WaitOptions, JobOptions {
  readonly eta?: string | number;
  readonly countdown?: number;
  readonly dependsOn?: string[];
  readonly onDependencyFailure?: DependencyFailure;
  readonly description?: string;
  readonly idempotencyKey?: string;
}

const EXAMPLES = `
Examples:
  $ sluice ingest start .                          take this folder into the knowledge graph
  $ sluice ingest start ~/src/app --follow         … and see every step as it goes
  $ sluice ingest start ~/src/app --wait --timeout 600
  $ sluice ingest start . --steps filesystem --option filesystem.max_file_bytes=1000000
  $ sluice ingest start . --eta 2030-01-31T18:30   at half past six, local time
  $ sluice ingest start --pipeline example --countdown 10 --tag nightly
  $ sluice ingest start . --depends-on ID,ID       once these jobs are completed
  $ id=$(sluice ingest start . -o ids)             the id alone, for scripts

With --wait or --follow it ends as the job does: 0 completed, 5 failed, 6 cancelled, 7 out of patience.`;

export function addIngestStart(parent: Command, context: CliContext): void {
  const command = parent
    .command('start')
    .summary('submit a job')
    .description('Submits a source to a pipeline. Prints the job.')
    .argument('[source]', 'a folder on the machine of the gateway; git URLs are not taken yet');
  addJobOptions(command)
    .option('--eta <time>', 'start then: ISO 8601, local time when it has no offset, or Unix seconds', parseEta)
    .option('--countdown <seconds>', 'start in so many seconds; --eta goes before it', parseCountdown)
    .option('--depends-on <ids>', 'start once these jobs are completed, separated by commas; again for more', addIds)
    .addOption(
      new Option('--on-dependency-failure <what>', 'what if one of them fails or is cancelled').choices(
        DEPENDENCY_FAILURES,
      ),
    )
    .option('--description <text>', 'what the job is for')
    .option('--idempotency-key <key>', 'the same key and job again gives the first job back');
  addWaitOptions(command).addHelpText('after', EXAMPLES);
  command.action((source: string | undefined, options: StartOptions) =>
    context.act(command, (session) => start(session, source, options)),
  );
}

async function start(session: Session, source: string | undefined, options: StartOptions): Promise<number> {
  const isWaiting = waits(options);
  if (options.onDependencyFailure !== undefined && options.dependsOn === undefined) {
    throw new UsageError('--on-dependency-failure needs --depends-on.');
  }
  const { io, client, printer } = session;
  const job = await client.submit(requestOf(source, options, io.cwd));
  if (isWaiting) return exitCodeOf((await waitForEnd(session, job, options)).status);
  printer.one(job, jobsView(io.now()));
  const said = ['Accepted.', startSentence(job, io.now()), `To see it go: sluice ingest status ${job.id} --watch`];
  if (!isEnded(job.status)) printer.say(said.filter((words) => words !== null).join(' '));
  return EXIT.ok;
}

/** The body of POST /v1/ingest: only what was said, so that the gateway's defaults hold for the rest. */
function requestOf(source: string | undefined, options: StartOptions, cwd: string): IngestRequest {
  return {
    ...jobFields(source, options, cwd),
    eta: options.eta,
    countdown: options.countdown,
    depends_on: options.dependsOn,
    on_dependency_failure: options.onDependencyFailure,
    description: options.description,
    idempotency_key: options.idempotencyKey,
  };
}
