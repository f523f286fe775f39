import type { JsonObject } from '#shared/domain/json';
import { allSteps, isSubset, MAX_STEPS, NO_STEPS, stepBit, stepsIn, type StepSet } from '#shared/domain/step-set';

export interface BackOff {
  readonly strategy: 'fixed' | 'linear' | 'exponential';
  readonly initial_ms: number;
  readonly factor: number;
  readonly max_ms: number;
  /** 0.2 spreads each delay by ± 20 %. */
  readonly jitter: number;
}

/** A step as a job keeps it: every default filled in. */
export interface StepDefinition {
  readonly name: string;
  readonly uses: string;
  /** Names of the steps whose completion this one waits for. */
  readonly needs: readonly string[];
  readonly queue: string;
  readonly max_retries: number;
  readonly back_off: BackOff;
  /** Limit of one attempt; null = none. */
  readonly timeout_ms: number | null;
  /** Attempts of this step at once in the whole cluster; null = no limit. */
  readonly concurrency: number | null;
  readonly resources: Readonly<Record<string, number>>;
  readonly isolation: 'inline' | 'process';
  readonly options: JsonObject;
}

/** A pipeline as a job keeps it: the snapshot that is stored once per content hash. */
export interface PipelineDefinition {
  readonly name: string;
  readonly description: string;
  readonly source: 'required' | 'optional';
  readonly steps: readonly StepDefinition[];
}

/** The shape of a pipeline's graph, by step index. */
export interface PipelineGraph {
  readonly count: number;
  readonly all: StepSet;
  /** needs[i]: the steps that step i waits for. */
  readonly needs: readonly StepSet[];
  /** ancestors[i]: the steps that step i waits for, directly or through others. */
  readonly ancestors: readonly StepSet[];
  /** descendants[i]: the steps that wait for step i, directly or through others. */
  readonly descendants: readonly StepSet[];
  readonly roots: StepSet;
  /** Steps that no other step needs: their outputs are the job's result. */
  readonly leaves: StepSet;
}

/** Steps on a cycle of `needs`, in order and with the first one repeated at the end; null when there is none. */
export function findCycle(steps: readonly Pick<StepDefinition, 'name' | 'needs'>[]): string[] | null {
  const needsOf = new Map(steps.map((step) => [step.name, step.needs]));
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (name: string): string[] | null => {
    if (finished.has(name)) return null;
    const seenAt = path.indexOf(name);
    if (seenAt >= 0) return [...path.slice(seenAt), name];
    path.push(name);
    for (const need of needsOf.get(name) ?? []) {
      const cycle = visit(need);
      if (cycle) return cycle;
    }
    path.pop();
    finished.add(name);
    return null;
  };
  for (const step of steps) {
    const cycle = visit(step.name);
    if (cycle) return cycle;
  }
  return null;
}

/**
 * The graph of a checked list of steps.
 * @throws RangeError for no steps, too many, an unknown need or a cycle: a definition is checked before it is kept
 */
export function pipelineGraph(steps: readonly Pick<StepDefinition, 'name' | 'needs'>[]): PipelineGraph {
  const count = steps.length;
  if (count === 0 || count > MAX_STEPS) throw new RangeError(`a pipeline has 1 to ${MAX_STEPS} steps, not ${count}`);
  const cycle = findCycle(steps);
  if (cycle) throw new RangeError(`steps need each other in a circle: ${cycle.join(' → ')}`);
  const indexOf = new Map(steps.map((step, index) => [step.name, index]));
  const needs = steps.map((step) =>
    step.needs.reduce((set, need) => {
      const index = indexOf.get(need);
      if (index === undefined) throw new RangeError(`step ${step.name} needs ${need}, which is not in the pipeline`);
      return set | stepBit(index);
    }, NO_STEPS),
  );
  const ancestors = needs.map((_, index) => reach(index, needs));
  const descendants = steps.map((_, index) =>
    ancestors.reduce((set, above, other) => (above & stepBit(index) ? set | stepBit(other) : set), NO_STEPS),
  );
  const all = allSteps(count);
  return {
    count,
    all,
    needs,
    ancestors,
    descendants,
    roots: readySteps({ needs }, NO_STEPS, NO_STEPS),
    leaves: stepsIn(all).reduce(
      (set, index) => (descendants[index] === NO_STEPS ? set | stepBit(index) : set),
      NO_STEPS,
    ),
  };
}

function reach(index: number, needs: readonly StepSet[]): StepSet {
  let found = NO_STEPS;
  let edge = needs[index] ?? NO_STEPS;
  while (edge !== NO_STEPS) {
    found |= edge;
    edge = stepsIn(edge).reduce((set, step) => set | (needs[step] ?? NO_STEPS), NO_STEPS) & ~found;
  }
  return found;
}

/** Steps whose needs are all in `done` and that are not in `except`. */
export function readySteps(graph: Pick<PipelineGraph, 'needs'>, done: StepSet, except: StepSet): StepSet {
  return graph.needs.reduce(
    (set, needs, index) => (isSubset(needs, done) && !(except & stepBit(index)) ? set | stepBit(index) : set),
    NO_STEPS,
  );
}

/** The pipeline with only the named steps and all that they need, in the pipeline's order. */
export function restrictTo(pipeline: PipelineDefinition, names: readonly string[]): PipelineDefinition {
  const graph = pipelineGraph(pipeline.steps);
  const kept = pipeline.steps.reduce(
    (set, step, index) =>
      names.includes(step.name) ? set | stepBit(index) | (graph.ancestors[index] ?? NO_STEPS) : set,
    NO_STEPS,
  );
  return { ...pipeline, steps: pipeline.steps.filter((_, index) => kept & stepBit(index)) };
}

/** Whether an attempt of the step needs a token, of its own limit or of a pool: then it is always claimed first. */
export const isLimited = (step: StepDefinition): boolean =>
  step.concurrency !== null || Object.keys(step.resources).length > 0;
