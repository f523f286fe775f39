import type { PipelineView } from '#shared/contracts/fleet';
import type { ScheduleView } from '#shared/contracts/schedule';

/** What the form for a new schedule holds. */
export interface ScheduleForm {
  readonly cron: string;
  readonly timezone: string;
  readonly pipeline: string;
  readonly source: string;
  readonly description: string;
  readonly overlap: ScheduleView['overlap'];
  readonly catch_up: ScheduleView['catch_up'];
}
export type FormField = keyof ScheduleForm;

/** The body of `POST /v1/schedules`; what was left empty is left out. */
export function scheduleBody(form: ScheduleForm): object {
  const { cron, timezone, pipeline, overlap, catch_up } = form;
  const [source, description] = [form.source.trim(), form.description.trim()];
  return {
    ...{ cron, timezone, overlap, catch_up },
    job: { pipeline, ...(source !== '' && { source }) },
    ...(description !== '' && { description }),
  };
}

export interface Fault {
  readonly path: string;
  readonly message: string;
}

const FIELD_OF: Readonly<Record<string, FormField>> = {
  cron: 'cron',
  timezone: 'timezone',
  'job.pipeline': 'pipeline',
  'job.source': 'source',
  'job.source_type': 'source',
  description: 'description',
  overlap: 'overlap',
  catch_up: 'catch_up',
};

/** What the gateway finds wrong, by the field that it is about; `others` is about none of them. */
export function faultsByField(faults: readonly Fault[]): {
  readonly fields: Readonly<Partial<Record<FormField, string>>>;
  readonly others: readonly string[];
} {
  const fields: Partial<Record<FormField, string>> = {};
  const others: string[] = [];
  for (const { path, message } of faults) {
    const field = FIELD_OF[path];
    if (field === undefined) others.push(path === '' ? message : `${path}: ${message}`);
    else fields[field] = [fields[field], message].filter(Boolean).join('; ');
  }
  return { fields, others };
}

export const wantsSource = (pipelines: readonly PipelineView[], name: string): boolean =>
  pipelines.find((each) => each.name === name)?.source === 'required';
