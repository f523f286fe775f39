import type { PipelineView } from '#shared/contracts/fleet';
import type { JobView } from '#shared/contracts/job';
import type { Json, JsonObject } from '#shared/domain/json';
import type { Priority } from '#shared/domain/status';
import { fromLocalInput } from '../../ui/local-input';
import { jsonFault } from './json-fault';

/** A pipeline as the gateway lists it: its steps say which options a job may set. */
export interface Choice extends Omit<PipelineView, 'steps'> {
  readonly steps: readonly (PipelineView['steps'][number] & { readonly job_options?: readonly string[] })[];
}

/** What has been typed into the form. */
export interface Draft {
  /** '' as long as none was chosen: the first, or `repository`. */
  readonly pipeline: string;
  readonly source: string;
  readonly branch: string;
  /** JSON. */
  readonly input: string;
  /** null: all. */
  readonly steps: readonly string[] | null;
  /** JSON, by `optionPath`. */
  readonly options: ReadonlyMap<string, string>;
  readonly priority: Priority;
  readonly start: 'now' | 'at' | 'in';
  /** As the reader's clock shows it. */
  readonly at: string;
  readonly amount: string;
  readonly unitSeconds: number;
  readonly dependsOn: string;
  readonly onFailure: 'fail' | 'run';
  /** One a line. */
  readonly tags: string;
  readonly description: string;
  readonly key: string;
  /** The job whose fields it began with. */
  readonly filledFrom: string | null;
}

export const EMPTY_DRAFT: Draft = {
  pipeline: '',
  source: '',
  branch: '',
  input: '',
  steps: null,
  options: new Map(),
  priority: 'default',
  start: 'now',
  at: '',
  amount: '',
  unitSeconds: 1,
  dependsOn: '',
  onFailure: 'fail',
  tags: '',
  description: '',
  key: '',
  filledFrom: null,
};

/** The body of `POST /v1/ingest`: only what was said, so that the gateway's defaults hold for the rest. */
export interface JobRequest {
  readonly pipeline: string;
  readonly source?: string;
  readonly branch?: string;
  readonly input?: JsonObject;
  readonly steps?: readonly string[];
  readonly options?: Readonly<Record<string, JsonObject>>;
  readonly priority?: Priority;
  readonly eta?: string;
  readonly countdown?: number;
  readonly depends_on?: readonly string[];
  readonly on_dependency_failure?: 'fail' | 'run';
  readonly tags?: readonly string[];
  readonly description?: string;
  readonly idempotency_key?: string;
}

export interface Fault {
  /** Of the field, as the server names it. */
  readonly path: string;
  readonly message: string;
  /** Nothing is there yet: not told before the form is sent. */
  readonly isMissing?: boolean;
}

export const optionPath = (step: string, option: string): string => `options.${step}.${option}`;

/** Whether what is wrong at `path` belongs to the field: it may be inside of it. */
export const isAt = (path: string, field: string): boolean => path === field || path.startsWith(`${field}.`);

/** The pipeline that the draft is for; undefined when there is none of that name. */
export function chosenOf(draft: Draft, choices: readonly Choice[]): Choice | undefined {
  const named = (wanted: string): Choice | undefined => choices.find(({ name }) => name === wanted);
  return draft.pipeline === '' ? (named('repository') ?? choices[0]) : named(draft.pipeline);
}

/** The steps that will run: the chosen ones and what they need, in the pipeline's order. */
export function runningSteps(chosen: readonly string[] | null, { steps }: Choice): Choice['steps'] {
  if (chosen === null) return steps;
  const wanted = new Set(chosen);
  let before = -1;
  while (before < wanted.size) {
    before = wanted.size;
    for (const step of steps) if (wanted.has(step.name)) step.needs.forEach((need) => wanted.add(need));
  }
  return steps.filter(({ name }) => wanted.has(name));
}

/** What would be sent, and what is wrong with it as far as can be seen from here. What is wrong is left out. */
export function requestOf(draft: Draft, pipeline: Choice): { readonly body: JobRequest; readonly faults: Fault[] } {
  const faults: Fault[] = [];
  if (pipeline.source === 'required' && draft.source.trim() === '') {
    faults.push({ path: 'source', message: `is missing: the pipeline ${pipeline.name} needs one`, isMissing: true });
  }
  if (draft.steps?.length === 0) faults.push({ path: 'steps', message: 'choose at least one', isMissing: true });
  const ids = entries(draft.dependsOn, /[\s,]+/);
  const tags = entries(draft.tags, /\n/);
  const body: JobRequest = {
    pipeline: pipeline.name,
    source: textOf(draft.source),
    branch: textOf(draft.branch),
    input: inputOf(draft.input, faults),
    steps: draft.steps === null || draft.steps.length === 0 ? undefined : draft.steps,
    options: optionsOf(draft, pipeline, faults),
    priority: draft.priority === 'default' ? undefined : draft.priority,
    ...startOf(draft, faults),
    depends_on: ids.length === 0 ? undefined : ids,
    on_dependency_failure: ids.length === 0 || draft.onFailure === 'fail' ? undefined : draft.onFailure,
    tags: tags.length === 0 ? undefined : tags,
    description: textOf(draft.description),
    idempotency_key: textOf(draft.key),
  };
  return { body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as never, faults };
}

const textOf = (text: string): string | undefined => (text.trim() === '' ? undefined : text.trim());

const entries = (text: string, between: RegExp): string[] =>
  text
    .split(between)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

function inputOf(text: string, faults: Fault[]): JsonObject | undefined {
  if (text.trim() === '') return undefined;
  const value = jsonOf(text, 'input', faults);
  if (value === undefined) return undefined;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  faults.push({ path: 'input', message: 'has to be a JSON object, like {"since": "2030-01-01"}' });
  return undefined;
}

function jsonOf(text: string, path: string, faults: Fault[]): Json | undefined {
  const fault = jsonFault(text);
  if (fault === null) return JSON.parse(text) as Json;
  faults.push({ path, message: `line ${fault.line}, column ${fault.column}: ${fault.message}` });
  return undefined;
}

/** Only those of the steps that will run: the server refuses others. */
function optionsOf(draft: Draft, pipeline: Choice, faults: Fault[]): JobRequest['options'] {
  const byStep = runningSteps(draft.steps, pipeline).flatMap(({ name, job_options = [] }) => {
    const set = job_options.flatMap((option): [string, Json][] => {
      const path = optionPath(name, option);
      const text = draft.options.get(path) ?? '';
      const value = text.trim() === '' ? undefined : jsonOf(text, path, faults);
      return value === undefined ? [] : [[option, value]];
    });
    return set.length === 0 ? [] : [[name, Object.fromEntries(set)] as const];
  });
  return byStep.length === 0 ? undefined : Object.fromEntries(byStep);
}

function startOf(draft: Draft, faults: Fault[]): Pick<JobRequest, 'eta' | 'countdown'> {
  if (draft.start === 'at') {
    const eta = fromLocalInput(draft.at);
    if (eta !== '') return { eta };
    faults.push({ path: 'eta', message: 'is missing: when shall it start?', isMissing: true });
  } else if (draft.start === 'in') {
    const amount = draft.amount.trim() === '' ? Number.NaN : Number(draft.amount);
    if (Number.isFinite(amount) && amount >= 0) return { countdown: amount * draft.unitSeconds };
    faults.push({
      path: 'countdown',
      message: 'has to be a number of 0 or more',
      isMissing: draft.amount.trim() === '',
    });
  }
  return {};
}

/**
 * The same job once more. Not taken over: when it started, what it waited for and its key, which belong to that one;
 * and its options, which a job does not show.
 * @param pipeline as it is now; undefined when it is gone
 */
export function draftOf(job: JobView, pipeline: Choice | undefined): Draft {
  const names = job.steps.map(({ name }) => name);
  const runsAll = pipeline === undefined || pipeline.steps.every(({ name }) => names.includes(name));
  return {
    ...EMPTY_DRAFT,
    pipeline: job.pipeline,
    source: job.source ?? '',
    branch: job.branch ?? '',
    input: Object.keys(job.input).length === 0 ? '' : JSON.stringify(job.input, null, 2),
    steps: runsAll ? null : names.filter((each) => pipeline.steps.some(({ name }) => name === each)),
    priority: job.priority,
    tags: job.tags.join('\n'),
    description: job.description ?? '',
    filledFrom: job.id,
  };
}
