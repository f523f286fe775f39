import type { DataSource } from 'typeorm';
import type { PipelineGraph } from '#shared/domain/pipeline';
import { NO_STEPS } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import { FastSettlement } from '#shared/store/jobs/fast-settlement';

/** A fast turn's head that runs and whose job does not say so yet. */
export interface RunningHead {
  readonly jobId: string;
  readonly run: number;
  readonly head: number;
  readonly startedAt: Micros;
}

/** Nothing is completed, so that nothing can become ready: the graph is not looked at. */
const UNSEEN_GRAPH: PipelineGraph = {
  ...{ count: 0, all: NO_STEPS, roots: NO_STEPS, leaves: NO_STEPS },
  ...{ needs: [], ancestors: [], descendants: [] },
};

/**
 * Records that heads of fast turns run, by the statement that settles them; whoever settles them later finds what it
 * would find had it recorded that itself. Of those that ended meanwhile nothing is changed.
 */
export class RunningRecord {
  private readonly settlement: FastSettlement;
  private worker = '';

  constructor(database: DataSource) {
    this.settlement = new FastSettlement(database, () => this.worker);
  }

  /** Not for use by two at once. @throws the database's error */
  async write(worker: string, heads: readonly RunningHead[]): Promise<void> {
    this.worker = worker;
    try {
      await Promise.all(
        heads.map(({ jobId, run, head, startedAt }) => {
          const steps = [{ kind: 'running', idx: head, startedAt } as const];
          return this.settlement.settle({ jobId, run, head, graph: UNSEEN_GRAPH, steps, keepable: NO_STEPS });
        }),
      );
    } finally {
      await this.settlement.close();
    }
  }
}
