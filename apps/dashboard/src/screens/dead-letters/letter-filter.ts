import type { DeadLetterGroup } from '#shared/contracts/dead-letter';
import type { PipelineView } from '#shared/contracts/fleet';

export const KINDS: readonly DeadLetterGroup['error']['kind'][] = [
  ...(['transient', 'permanent', 'timeout', 'crashed', 'cancelled'] as const),
];

/** Which dead letters are shown; an empty text means any. */
export interface LetterFilter {
  readonly pipeline: string;
  readonly step: string;
  readonly kind: string;
}

/** What the page's address asks for; a kind that is none counts as any. */
export function filterOf(parameters: URLSearchParams): LetterFilter {
  const kind = parameters.get('kind') ?? '';
  return {
    pipeline: parameters.get('pipeline') ?? '',
    step: parameters.get('step') ?? '',
    kind: KINDS.some((each) => each === kind) ? kind : '',
  };
}

export const isFiltered = (filter: LetterFilter): boolean => Object.values(filter).some((value) => value !== '');

/** The body's `filter` of a redrive: without what may be anything. */
export const filterBody = (filter: LetterFilter): object =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ''));

/** What there is to choose from: what is configured, what has failed, and what is chosen though it is neither. */
export function choices(
  pipelines: readonly PipelineView[],
  groups: readonly DeadLetterGroup[],
  { pipeline, step }: LetterFilter,
): { readonly pipelines: readonly string[]; readonly steps: readonly string[] } {
  const isAsked = (name: string): boolean => pipeline === '' || name === pipeline;
  const configured = pipelines
    .filter(({ name }) => isAsked(name))
    .flatMap(({ steps }) => steps.map(({ name }) => name));
  const failed = groups.filter((group) => isAsked(group.pipeline)).map((group) => group.step);
  return {
    pipelines: sorted([...pipelines.map(({ name }) => name), ...groups.map((group) => group.pipeline), pipeline]),
    steps: sorted([...configured, ...failed, step]),
  };
}

const sorted = (names: readonly string[]): string[] => [...new Set(names)].filter((name) => name !== '').sort();
