import type { StepContext } from '#shared/contracts/handler';

/** What an attempt used in processes of its own. */
export interface OwnFigures {
  readonly cpuMs: number;
  /** Resident memory of all of them together, at its peak. */
  readonly memoryMb: number;
}

/**
 * Figures of attempts that ran in processes of their own, by the attempt's context: what the worker itself used
 * meanwhile says nothing of them. Beside the context and not in it, since only the worker's own handlers can know.
 */
const figures = new WeakMap<object, OwnFigures>();

export function recordFigures(context: StepContext<unknown>, measured: OwnFigures): void {
  figures.set(context, measured);
}

export function figuresOf(context: StepContext<unknown>): OwnFigures | undefined {
  return figures.get(context);
}
