import { stepBit, stepsIn, isSubset } from '#shared/domain/step-set';
import type { Micros } from '#shared/domain/turn/job-draft';
import type { FastSettle, FastSettled } from '#shared/store/jobs/fast-settlement';
import type { OwnedStep } from '#shared/store/worker-registry';
import type { StoredJob } from '../turn-walk';
import type { SimJob, WorkerRow } from './tables';

/** The guards of the turn protocol that can be taken away, each by what stands in the place of a part of the system. */
export type Guard =
  | 'run'
  | 'slow bit'
  | 'step epoch'
  | 'state'
  | 'ready from the locked row'
  | 'row of the kept step'
  | 'read on redelivery'
  | 'read after a rest'
  | 'read on repeats'
  | 'read on late publishes'
  | 'read on late submissions'
  | 'lease at begin'
  | 'horizon'
  | 'horizon raised by what is forgotten'
  | 'memory of cancels'
  | 'cancel waits for workers'
  | 'acknowledged when nothing runs'
  | 'new incarnation'
  | 'unknown rows handed back'
  | 'one turn per head'
  | 'what is known is left alone'
  | 'claim when the lease is over'
  | 'claim when due'
  | 'hand back'
  | 'in doubt claims'
  | 'token limit'
  | 'tokens back'
  | 'frontier of the undelivered'
  | 'margin'
  | 'sweep'
  | 'sweep of rows'
  | 'sweep of the dead'
  | 'release of the parked'
  | 'suspects one at a time'
  | 'released when due'
  | 'waits for others'
  | 'dependants are told';

type Settle = (stored: StoredJob, item: FastSettle) => [FastSettled, StoredJob];
type Info = Readonly<Record<'delivered' | 'ack_floor', { stream_seq: number }>> & { readonly created: string };

class Guards {
  private off: ReadonlySet<Guard> = new Set();

  /** Takes guards away, for the runs that follow. */
  take(off: readonly Guard[]): void {
    this.off = new Set(off);
  }

  isOff(guard: Guard): boolean {
    return this.off.has(guard);
  }

  /** The fast settle statement, less what is taken away of it. */
  settleFast(job: SimJob, asked: FastSettle, seenDone: bigint, settle: Settle): [FastSettled, StoredJob] {
    const { stored } = job;
    const item = this.isOff('run') ? { ...asked, run: stored.fields.run } : asked;
    const known = this.doctored(stored, item);
    const [settled, after] = settle(known, item);
    if (settled.kind === 'stale') return [settled, stored];
    let result = settled;
    let { fields } = after;
    let { rows } = after;
    if (this.isOff('slow bit')) fields = { ...fields, slow: fields.slow | stored.fields.slow };
    const { kept } = result;
    if (this.isOff('row of the kept step') && kept !== null) rows = rows.filter((row) => row.idx !== kept);
    if (this.isOff('ready from the locked row')) {
      const own = item.steps.reduce((set, step) => (step.kind === 'completed' ? set | stepBit(step.idx) : set), 0n);
      const unseen = stepsIn(result.opened).filter((idx) => !isSubset(item.graph.needs[idx] ?? 0n, seenDone | own));
      const missed = unseen.reduce((set, idx) => set | stepBit(idx), 0n);
      fields = { ...fields, open: fields.open & ~missed };
      result = { ...result, opened: result.opened & ~missed };
    }
    return [result, { ...after, fields, rows }];
  }

  private doctored(stored: StoredJob, item: FastSettle): StoredJob {
    let { fields, rows } = stored;
    if (this.isOff('slow bit')) fields = { ...fields, slow: 0n };
    if (this.isOff('state')) {
      const all = item.steps.reduce((set, step) => set | stepBit(step.idx), 0n);
      fields = { ...fields, done: fields.done & ~all, dead: fields.dead & ~all, open: fields.open | all };
      rows = rows.filter((row) => row.status === 'running' || !(all & stepBit(row.idx)));
    }
    return { ...stored, fields, rows };
  }

  leases(leases: Map<string, Micros>, workers: ReadonlyMap<string, WorkerRow>): ReadonlyMap<string, Micros> {
    if (this.isOff('claim when the lease is over')) return new Map();
    if (!this.isOff('new incarnation')) return leases;
    const byName = new Map<string, Micros>();
    for (const { id, name } of workers.values()) {
      byName.set(name, Math.max(byName.get(name) ?? 0, leases.get(id) ?? 0));
    }
    return new Map(Array.from(workers.values(), ({ id, name }) => [id, byName.get(name) ?? 0]));
  }

  waitsForWorkers(awaited: boolean): boolean {
    return awaited && !this.isOff('cancel waits for workers');
  }

  windingDown(jobs: readonly string[]): readonly string[] {
    return this.isOff('acknowledged when nothing runs') ? [] : jobs;
  }

  unknownRows(rows: OwnedStep[]): OwnedStep[] {
    return this.isOff('unknown rows handed back') ? [] : rows;
  }

  consumerInfo(info: Info): Info {
    if (!this.isOff('frontier of the undelivered')) return info;
    return { ...info, delivered: { stream_seq: 0 }, ack_floor: { stream_seq: 0 } };
  }

  deliveryCount(count: number): number {
    return this.isOff('read on redelivery') ? 1 : count;
  }
}

export const guards = new Guards();
