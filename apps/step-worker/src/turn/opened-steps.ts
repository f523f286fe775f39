import type { TurnPublisher } from '#shared/bus/turn-publisher';
import type { WorkData, WorkMessage } from '#shared/contracts/work-message';
import type { Json } from '#shared/domain/json';
import { isLimited } from '#shared/domain/pipeline';
import { NO_STEPS, stepsIn, type StepSet } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { WorkerLease } from '../lease/worker-lease';
import type { ActiveTurn } from './active-turn';

/** Publishes the steps that a settlement has opened and the turn does not go on with. */
export class OpenedSteps {
  constructor(
    private readonly publisher: TurnPublisher,
    private readonly lease: WorkerLease,
  ) {}

  /** Resolves when all are stored, or left to the sweep. Never rejects. */
  async publish(turn: ActiveTurn, pipeline: StoredPipeline, steps: StepSet, at: Micros): Promise<void> {
    if (steps === NO_STEPS) return;
    // Late is: after the lease was lost. By then the sweep may have sent it already.
    const isLate = turn.deliveredUnder !== this.lease.current || !turn.deliveredUnder.isValid();
    await Promise.all(
      stepsIn(steps).map(async (idx) => {
        const step = pipeline.definition.steps[idx];
        if (!step) return undefined;
        const { job_id, run, pipeline_hash } = turn.message;
        const read = isLate || run > 1 || isLimited(step);
        const data = read ? undefined : this.dataFor(turn, pipeline, idx);
        const message: WorkMessage = { job_id, run, head: idx, at, read, pipeline_hash, data };
        return this.publisher.publish({ message, queue: step.queue, priority: turn.delivery.priority });
      }),
    );
  }

  /** What the step works on, where this turn knows all of it. */
  private dataFor(turn: ActiveTurn, pipeline: StoredPipeline, idx: number): WorkData | undefined {
    if (!turn.message.data) return undefined;
    const outputs = knownOutputs(turn, pipeline, idx);
    return outputs ? { ...turn.message.data, outputs } : undefined;
  }
}

/** The outputs of all that the step needs, directly or through others; null when the turn does not know them all. */
export function knownOutputs(turn: ActiveTurn, pipeline: StoredPipeline, idx: number): Record<string, Json> | null {
  const outputs: Record<string, Json> = {};
  for (const ancestor of stepsIn(pipeline.graph.ancestors[idx] ?? NO_STEPS)) {
    const name = pipeline.definition.steps[ancestor]?.name ?? '';
    const output = turn.outputs.get(name);
    if (output === undefined) return null;
    outputs[name] = output;
  }
  return outputs;
}
