/**
 * A set of a pipeline's steps: bit i stands for the step at index i. Postgres keeps it in a `bigint`,
 * so a pipeline has at most 63 steps.
 */
export type StepSet = bigint;

export const MAX_STEPS = 63;
export const NO_STEPS: StepSet = 0n;

export const stepBit = (index: number): StepSet => 1n << BigInt(index);
export const hasStep = (set: StepSet, index: number): boolean => (set & stepBit(index)) !== 0n;
export const isSubset = (part: StepSet, whole: StepSet): boolean => (part & ~whole) === 0n;

/** The set of all steps of a pipeline that has `count` steps. */
export const allSteps = (count: number): StepSet => (1n << BigInt(count)) - 1n;

/** The indices in the set, rising. */
export function stepsIn(set: StepSet): number[] {
  const indices: number[] = [];
  for (let index = 0, rest = set; rest !== 0n; index += 1, rest >>= 1n) if (rest & 1n) indices.push(index);
  return indices;
}

export const stepSetOf = (indices: Iterable<number>): StepSet => {
  let set = NO_STEPS;
  for (const index of indices) set |= stepBit(index);
  return set;
};
