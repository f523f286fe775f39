import type { JobView } from '#shared/contracts/job';
import { isEnded } from '#shared/domain/status';

/** Whether something can be done to a job now, and why not. */
export interface Possible {
  readonly cancel: string | null;
  readonly retry: string | null;
  readonly retryFrom: string | null;
  readonly reschedule: string | null;
  readonly delete: string | null;
}

/** @returns null for what can be done; otherwise why it cannot */
export function whyNot({ status }: JobView, step: string | null): Possible {
  const hasEnded = isEnded(status);
  const isLive = `The job is ${status}: cancel it first, or wait for its end.`;
  return {
    cancel: hasEnded
      ? `The job is ${status} already.`
      : status === 'cancelling'
        ? 'It is being cancelled: its running steps wind down.'
        : null,
    retry: !hasEnded ? isLive : status === 'completed' ? 'It is completed: choose a step to begin again from.' : null,
    retryFrom: !hasEnded ? isLive : step === null ? 'Choose a step first.' : null,
    reschedule: status === 'scheduled' ? null : `The job is ${status}: only a scheduled one has a time to change.`,
    delete: hasEnded ? null : isLive,
  };
}

/** One thing that can be done, for `sluice` and for REST. */
export interface Command {
  readonly label: string;
  readonly args: readonly string[];
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
}

/** As `jobPath` has it, which cannot be loaded without a browser. */
const jobPath = (id: string, action = ''): string =>
  `/v1/ingest/${encodeURIComponent(id)}${action === '' ? '' : `/${action}`}`;

/** What can be done to the job now from a terminal. */
export function commandsFor(job: JobView, step: string | null): Command[] {
  const { id } = job;
  const not = whyNot(job, step);
  const commands: Command[] = [
    { label: 'Show it', args: ['ingest', 'status', id], method: 'GET', path: jobPath(id) },
    ...(step === null
      ? []
      : [
          {
            label: `Logs of ${step}`,
            args: ['ingest', 'logs', id, '--step', step],
            method: 'GET' as const,
            path: `${jobPath(id, 'logs')}?step=${encodeURIComponent(step)}`,
          },
        ]),
  ];
  const post = (label: string, action: string, args: readonly string[], body?: unknown): void => {
    commands.push({ label, args: ['ingest', action, id, ...args], method: 'POST', path: jobPath(id, action), body });
  };
  if (not.cancel === null) post('Cancel', 'cancel', []);
  if (not.retry === null) post('Retry', 'retry', []);
  if (not.retryFrom === null && step !== null)
    post(`Retry from ${step}`, 'retry', ['--from', step], { from_step: step });
  if (not.reschedule === null) {
    post('Run now', 'reschedule', ['--now'], { countdown: 0 });
    post('Start in 10 minutes', 'reschedule', ['--countdown', '600'], { countdown: 600 });
  }
  if (not.delete === null) {
    commands.push({ label: 'Delete', args: ['ingest', 'delete', id], method: 'DELETE', path: jobPath(id) });
  }
  return commands;
}
