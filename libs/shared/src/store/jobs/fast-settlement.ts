import type { DataSource } from 'typeorm';
import { type Json, storableJsonText } from '#shared/domain/json';
import type { PipelineGraph } from '#shared/domain/pipeline';
import type { JobStatus } from '#shared/domain/status';
import { isSubset, NO_STEPS, stepBit, stepSetOf, stepsIn, type StepSet } from '#shared/domain/step-set';
import type { Measured } from '#shared/domain/turn/end-attempt';
import type { Micros } from '#shared/domain/turn/job-draft';
import { guardHolds } from '#shared/runtime/failpoints';
import { execute } from '#shared/store/database';
import { GroupCommit } from '#shared/store/group-commit';
import { FAST_SETTLE, UNFENCED_FAST_SETTLE } from '#shared/store/jobs/fast-settle-statement';
import { LaneClient } from '#shared/store/lane-client';

/** A step that this turn has run without reading anything, or still runs. */
export type FastStep =
  | ({ readonly kind: 'completed'; readonly idx: number; readonly output: Json } & Measured)
  | { readonly kind: 'running'; readonly idx: number; readonly startedAt: Micros };

/** What one fast turn has to record. */
export interface FastSettle {
  readonly jobId: string;
  readonly run: number;
  readonly head: number;
  readonly graph: PipelineGraph;
  /** In the order in which they began. At least one. */
  readonly steps: readonly FastStep[];
  /** Steps that the turn may go on with. */
  readonly keepable: StepSet;
}

export type FastSettled =
  /** Somebody else owns it by now. Drop what was done, ack. */
  | { readonly kind: 'stale' }
  | {
      readonly kind: 'settled';
      readonly status: JobStatus;
      readonly statusBefore: JobStatus;
      readonly version: number;
      /** Steps that became ready and need a message: without the kept one. */
      readonly opened: StepSet;
      /** The step that the turn goes on with; its row is written. */
      readonly kept: number | null;
      readonly dispatchedAt: Micros;
    };

interface SettledRow {
  readonly id: string;
  readonly status: JobStatus;
  readonly status_before: JobStatus;
  readonly version: number;
  readonly untold: boolean;
  readonly new: string;
  readonly kept: number | null;
  readonly dispatched_us: string;
}

const LANES = 2;

/** Settles fast turns in groups, in two lanes: the job's id chooses the lane, so a job has one write in flight. */
export class FastSettlement {
  private readonly lanes: { readonly client: LaneClient; readonly group: GroupCommit<FastSettle, FastSettled> }[];

  /**
   * @param worker the id written into step rows and attempts, asked for at each batch
   * @param beforeBatch called for each lane before each batch: the last chance to add what still runs
   * @param onUntold called after a commit in which jobs that others need have ended: they have to be told
   */
  constructor(
    database: DataSource,
    private readonly worker: () => string,
    beforeBatch: (lane: number) => void = () => undefined,
    private readonly onUntold: () => void = () => undefined,
  ) {
    this.lanes = Array.from({ length: LANES }, (_, lane) => {
      const client = new LaneClient(database);
      const group = new GroupCommit<FastSettle, FastSettled>({
        commit: (items) => this.commit(client, items),
        keyOf: (item) => item.jobId,
        maxBatch: 1_000,
        beforeBatch: () => beforeBatch(lane),
      });
      return { client, group };
    });
  }

  /** Which lane a job's writes take. */
  laneOf(jobId: string): number {
    return jobId.charCodeAt(jobId.length - 1) % LANES;
  }

  /** Resolves after the commit. @throws the database's error: then it is in doubt whether it was recorded */
  settle(item: FastSettle): Promise<FastSettled> {
    return this.group(item.jobId).add(item);
  }

  /** Makes the job's lane run soon, for what `beforeBatch` adds. */
  wake(jobId: string): void {
    this.group(jobId).wake();
  }

  async close(): Promise<void> {
    for (const lane of this.lanes) {
      await lane.group.idle();
      await lane.client.drop();
    }
  }

  private group(jobId: string): GroupCommit<FastSettle, FastSettled> {
    const lane = this.lanes[this.laneOf(jobId)];
    if (!lane) throw new Error('no lane');
    return lane.group;
  }

  private async commit(lane: LaneClient, items: FastSettle[]): Promise<FastSettled[]> {
    // Locks are taken in this order: by id, as every other batch takes them.
    const sorted = [...items].sort((a, b) => (a.jobId < b.jobId ? -1 : 1));
    const statement = guardHolds('worker.settle_is_fenced') ? FAST_SETTLE : UNFENCED_FAST_SETTLE;
    const rows = await lane.run((client) => execute<SettledRow>(client, statement, this.columns(sorted)));
    if (rows.some((row) => row.untold)) this.onUntold();
    const byJob = new Map(rows.map((row) => [row.id, row]));
    return items.map((item) => {
      const row = byJob.get(item.jobId);
      return row ? settled(row) : { kind: 'stale' };
    });
  }

  private columns(items: FastSettle[]): unknown[] {
    const turns = new Columns(7 + 4);
    const candidates = new Columns(2);
    const steps = new Columns(7);
    const outputs: string[] = [];
    for (const item of items) {
      const seg = stepsOfKind(item, 'completed');
      const rec = stepsOfKind(item, 'running');
      const firstCandidate = candidates.length + 1;
      const completion = completionOf(item.graph, seg);
      for (const [idx, needs] of completion.candidates) candidates.add(idx, needs);
      const firstStep = steps.length + 1;
      for (const step of item.steps) {
        const done = step.kind === 'completed';
        steps.add(
          step.idx,
          step.startedAt,
          done ? step.finishedAt : 0,
          done ? step.durationMs : 0,
          done ? step.cpuPercent : 0,
          done ? step.memoryMb : 0,
          done,
        );
        outputs.push(done ? storableJsonText(step.output) : 'null');
      }
      turns.add(
        item.jobId,
        item.run,
        seg.toString(),
        rec.toString(),
        ((seg | rec) & ~completion.opened).toString(),
        item.keepable.toString(),
        item.head,
        firstCandidate,
        candidates.length,
        firstStep,
        steps.length,
      );
    }
    return [...turns.texts(), ...candidates.texts(), ...steps.texts(), `[${outputs.join(',')}]`, this.worker()];
  }
}

/** Parameter arrays, built row by row: numbers, ids and booleans, which need no quoting. */
class Columns {
  private readonly columns: (string | number | boolean)[][];

  constructor(count: number) {
    this.columns = Array.from({ length: count }, () => []);
  }

  get length(): number {
    return this.columns[0]?.length ?? 0;
  }

  add(...values: (string | number | boolean)[]): void {
    values.forEach((value, index) => this.columns[index]?.push(value));
  }

  /** As Postgres reads arrays. The driver's own way, which must quote anything, costs several times as much. */
  texts(): string[] {
    return this.columns.map((column) => `{${column.join(',')}}`);
  }
}

const stepsOfKind = (item: FastSettle, kind: FastStep['kind']): StepSet =>
  item.steps.reduce((set, step) => (step.kind === kind ? set | stepBit(step.idx) : set), NO_STEPS);

/** What follows from completing a set of steps. */
interface Completion {
  /** Steps that need one of those completed: only they can have become ready. With their needs, as text. */
  readonly candidates: readonly (readonly [idx: number, needs: string])[];
  /** Steps that nothing but these completions can have opened: the turn itself went on to them. */
  readonly opened: StepSet;
}

/** Pipelines are few and the sets of steps that turns complete are too: each is worked out once. */
const completions = new WeakMap<PipelineGraph, Map<StepSet, Completion>>();

function completionOf(graph: PipelineGraph, completed: StepSet): Completion {
  const known = completions.get(graph) ?? new Map<StepSet, Completion>();
  completions.set(graph, known);
  const found = known.get(completed) ?? workOut(graph, completed);
  known.set(completed, found);
  return found;
}

function workOut(graph: PipelineGraph, completed: StepSet): Completion {
  const needsOf = (idx: number): StepSet => graph.needs[idx] ?? NO_STEPS;
  const candidates = stepsIn(graph.all & ~completed).filter((idx) => (needsOf(idx) & completed) !== NO_STEPS);
  const opened = stepsIn(graph.all).filter((idx) => needsOf(idx) !== NO_STEPS && isSubset(needsOf(idx), completed));
  return { candidates: candidates.map((idx) => [idx, needsOf(idx).toString()] as const), opened: stepSetOf(opened) };
}

function settled(row: SettledRow): FastSettled {
  const opened = BigInt(row.new);
  return {
    kind: 'settled',
    status: row.status,
    statusBefore: row.status_before,
    version: row.version,
    opened: row.kept === null ? opened : opened & ~stepBit(row.kept),
    kept: row.kept,
    dispatchedAt: Number(row.dispatched_us),
  };
}
