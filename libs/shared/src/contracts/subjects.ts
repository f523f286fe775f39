import type { Priority } from '#shared/domain/status';

/** The work queue: one message for each turn of a job. */
export const WORK_STREAM = 'SLUICE_WORK';
/** What attempts used and how they ended, for the metrics service. */
export const TELEMETRY_STREAM = 'SLUICE_TELEMETRY';
/** What failed for good, to be browsed with the `nats` CLI. */
export const DEAD_STREAM = 'SLUICE_DEAD';

/** All that `WORK_STREAM` stores. */
export const WORK_SUBJECTS = 'sluice.work.>';
/** All that `TELEMETRY_STREAM` stores. */
export const TELEMETRY_SUBJECTS = 'sluice.telemetry.>';
/** The durable consumer by which the metrics services share it. */
export const TELEMETRY_CONSUMER = 'metrics';
/** All that `DEAD_STREAM` stores. */
export const DEAD_SUBJECTS = 'sluice.dead.>';

const QUEUE_NAME = /^[a-z0-9_-]{1,64}$/;
/** What a queue may be called, for messages to people. */
export const QUEUE_NAME_RULE = '1 to 64 lower-case letters, digits, _ or -';
/** Whether the name can be a token of a subject and a part of a consumer's name. */
export const isQueueName = (name: string): boolean => QUEUE_NAME.test(name);

/** Where the turns of a queue's jobs of one priority are published. */
export const workSubject = (queue: string, priority: Priority): string => `sluice.work.${queue}.${priority}`;

/** The durable consumer that hands them out. */
export const workConsumer = (queue: string, priority: Priority): string => `work_${queue}_${priority}`;

/** Where a step's failures for good are mirrored to. Names of pipelines and steps are tokens of subjects. */
export const deadSubject = (pipeline: string, step: string): string => `sluice.dead.${pipeline}.${step}`;

/** Where a service publishes what it has counted. */
export const telemetrySubject = (service: string): string => `sluice.telemetry.${service}`;

/** Live events of a job (core NATS: at most once). */
export const eventsSubject = (jobId: string): string => `sluice.events.${jobId}`;
/** Live events of all jobs. */
export const ALL_EVENTS = 'sluice.events.*';

/** Says to the schedulers that something may be due earlier than they know. Safe to lose. */
export const SCHEDULER_WAKE = 'sluice.wake.scheduler';
/** What it says when only dependants of jobs have to be told something; otherwise nothing. */
export const WAKE_FOR_DEPENDANTS = 'dependants';
/** What it says when only jobs were stored that are held until a time: the first of these, ISO 8601. */
export const wakeForDue = (first: string): string => `due ${first}`;
/** That time in milliseconds since 1970; null when something else is said. */
export function dueOfWake(said: string): number | null {
  const ms = said.startsWith('due ') ? Date.parse(said.slice(4)) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A cancelled job and its run, to all workers; each answers once it runs nothing of it. */
export const CANCEL_BROADCAST = 'sluice.cancel';
/** Request: the metrics service's `resource_status`. */
export const RESOURCE_STATUS_REQUEST = 'sluice.request.resource_status';
/** The answer of one who cannot tell just now. */
export const NO_STATUS = '';
