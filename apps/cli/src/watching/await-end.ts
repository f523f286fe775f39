import type { JobView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';
import { CliError, EXIT } from '../exit-codes';
import { oneLine } from '../output/words';
import type { RestClient } from '../rest-client';
import type { Session } from '../session';
import { followJob } from './job-stream';
import { progressView, type Detail } from './progress-view';

export interface Wait {
  readonly detail: Detail;
  /** null = as long as it takes. */
  readonly timeoutSeconds: number | null;
}

/** The user's patience is over, not the job. */
export class WaitedTooLong extends CliError {
  override readonly name = 'WaitedTooLong';

  constructor(
    readonly job: JobView | null,
    id: string,
    seconds: number,
  ) {
    super(
      EXIT.timedOut,
      `The job has not ended within ${seconds} s. It goes on; see \`sluice ingest status ${id} --watch\`.`,
    );
  }
}

/**
 * Shows a job until it has ended.
 * @returns the ended job
 * @throws WaitedTooLong with the job as it is then; the signal's reason
 */
export async function awaitEnd({ io, client, printer }: Session, id: string, wait: Wait): Promise<JobView> {
  const limit = wait.timeoutSeconds === null ? null : AbortSignal.timeout(wait.timeoutSeconds * 1_000);
  const signal = limit ? AbortSignal.any([io.signal, limit]) : io.signal;
  const view = progressView(io, printer, wait.detail);
  let last: JobView | null = null;
  try {
    for await (const update of followJob(client.within(signal), id, signal, (text) => printer.say(text))) {
      view.show(update);
      if (update.type === 'snapshot') last = update.job;
    }
  } catch (error) {
    io.signal.throwIfAborted();
    if (limit?.aborted) throw new WaitedTooLong(await now(client, id, last), id, wait.timeoutSeconds ?? 0);
    throw error;
  } finally {
    view.stop();
  }
  if (last && isEnded(last.status)) return last;
  throw new CliError(EXIT.error, `Nothing more came about job ${oneLine(id)}.`);
}

/** The job as it is; as it was last seen, when it cannot be asked for. */
async function now(client: RestClient, id: string, last: JobView | null): Promise<JobView | null> {
  const job = await client.job(id).catch(() => null);
  return job && job.version > (last?.version ?? 0) ? job : last;
}
