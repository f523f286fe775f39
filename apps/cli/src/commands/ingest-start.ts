import { Option, type Command } from 'commander';
import { isEnded, PRIORITIES, type Priority } from '#shared/domain/status';
import type { JsonObject } from '#shared/domain/json';
import type { IngestRequest } from '../rest-client';
import type { CliContext } from '../cli-context';
import { parseEta } from '../arguments/eta';
import { addAssignment, type StepOptions } from '../arguments/option-assignments';
import { absoluteSource, addOne, addToList, numberFrom, parseInput } from '../arguments/values';
import { exitCodeOf, UsageError } from '../exit-codes';
import { jobsView } from '../output/job-view';
import type { Session } from '../session';
import { awaitEnd, WaitedTooLong } from '../watching/await-end';

interface StartOptions {
  readonly pipeline?: string;
  readonly branch?: string;
  readonly priority?: Priority;
  readonly eta?: string | number;
  readonly countdown?: number;
  readonly steps?: string[];
  readonly option?: StepOptions;
  readonly input?: JsonObject;
  readonly tag?: string[];
  readonly description?: string;
  readonly idempotencyKey?: string;
  readonly wait?: true;
  readonly follow?: true;
  readonly timeout?: number;
}

const EXAMPLES = `
Examples:
  $ sluice ingest start .                          take this folder into the knowledge graph
  $ sluice ingest start ~/src/app --follow         … and see every step as it goes
  $ sluice ingest start https://example.org/app.git --branch main --wait --timeout 600
  $ sluice ingest start . --steps filesystem --option filesystem.max_file_bytes=1000000
  $ sluice ingest start . --eta 2030-01-31T18:30   at half past six, local time
  $ sluice ingest start --pipeline example --countdown 10 --tag nightly
  $ id=$(sluice ingest start . -o ids)             the id alone, for scripts

With --wait or --follow it ends as the job does: 0 completed, 5 failed, 6 cancelled, 7 out of patience.`;

const TEN_YEARS_SECONDS = 10 * 366 * 86_400;
/** Node's timers hold no more. */
const MAX_TIMEOUT_SECONDS = 2_000_000;

export function addIngestStart(parent: Command, context: CliContext): void {
  const command = parent
    .command('start')
    .summary('submit a job')
    .description('Submits a source to a pipeline. Prints the job.')
    .argument('[source]', 'a folder on the machine of the gateway, or the URL of a git repository')
    .option('-p, --pipeline <name>', 'the pipeline (the gateway takes "repository" when left out)')
    .option('--branch <name>', 'the branch of a git repository')
    .addOption(new Option('--priority <level>', 'which jobs go first').choices(PRIORITIES))
    .option('--eta <time>', 'start then: ISO 8601, local time when it has no offset, or Unix seconds', parseEta)
    .option('--countdown <seconds>', 'start in so many seconds', numberFrom(0, TEN_YEARS_SECONDS))
    .option('--steps <names>', 'run only these steps and what they need, separated by commas', addToList)
    .option('--option <step.key=value>', 'an option of a step, as JSON or text; again for more', addAssignment)
    .option('--input <json>', 'an object that is handed to the steps', parseInput)
    .option('--tag <tag>', 'a tag to find the job by; again for more', addOne)
    .option('--description <text>', 'what the job is for')
    .option('--idempotency-key <key>', 'the same key and job again gives the first job back')
    .option('-w, --wait', 'wait until the job has ended')
    .option('-f, --follow', 'wait, and show every event')
    .option('--timeout <seconds>', 'wait no longer than this', numberFrom(0.001, MAX_TIMEOUT_SECONDS))
    .addHelpText('after', EXAMPLES);
  command.action((source: string | undefined, options: StartOptions) =>
    context.act(command, (session) => start(session, source, options)),
  );
}

async function start(session: Session, source: string | undefined, options: StartOptions): Promise<number> {
  const waits = options.wait === true || options.follow === true;
  if (options.timeout !== undefined && !waits) throw new UsageError('--timeout needs --wait or --follow.');
  const { io, client, printer } = session;
  const job = await client.submit(requestOf(source, options, io.cwd));
  if (!waits) {
    printer.one(job, jobsView(io.now()));
    if (!isEnded(job.status)) printer.say(`Accepted. To see it go: sluice ingest status ${job.id} --watch`);
    return 0;
  }
  printer.say(`Job ${job.id} is ${job.status}.`);
  const detail = options.follow === true ? 'events' : 'none';
  try {
    const ended = await awaitEnd(session, job.id, { detail, timeoutSeconds: options.timeout ?? null });
    printer.one(ended, jobsView(io.now()));
    return exitCodeOf(ended.status);
  } catch (error) {
    if (error instanceof WaitedTooLong) printer.one(error.job ?? job, jobsView(io.now()));
    if (io.signal.aborted) printer.say(`\nThe job goes on. To see it: sluice ingest status ${job.id} --watch`);
    throw error;
  }
}

/** The body of POST /v1/ingest: only what was said, so that the gateway's defaults hold for the rest. */
function requestOf(source: string | undefined, options: StartOptions, cwd: string): IngestRequest {
  return {
    pipeline: options.pipeline,
    source: source === undefined ? undefined : absoluteSource(source, cwd),
    branch: options.branch,
    priority: options.priority,
    eta: options.eta,
    countdown: options.countdown,
    steps: options.steps,
    options: options.option,
    input: options.input,
    tags: options.tag,
    description: options.description,
    idempotency_key: options.idempotencyKey,
  };
}
