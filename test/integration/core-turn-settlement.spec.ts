import type { Delivery } from '#shared/bus/work-consumer';
import { set, CHAIN, MEASURED, pipelineOf, stepNamed } from '../support/drafts';
import { until } from '../support/poll';
import type { Database } from '#shared/store/database';
import type { FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { Incarnation, type WorkerLease } from '../../apps/step-worker/src/lease/worker-lease';
import { ActiveTurn } from '../../apps/step-worker/src/turn/active-turn';
import { ActiveTurns } from '../../apps/step-worker/src/turn/active-turns';
import { TurnSettlement } from '../../apps/step-worker/src/turn/turn-settlement';
import { watched } from './core-connections';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let database: Database;
let chain: StoredPipeline;

beforeAll(async () => {
  stage = await openStage();
  database = await stage.connect(10);
  chain = await stage.save(CHAIN);
});
afterAll(() => stage.close());

/** A worker as its settlements see it: a lease, a memory, and what it is told. */
class Worker {
  readonly turns = new ActiveTurns();
  readonly running: { readonly turn: ActiveTurn; readonly steps: readonly FastStep[] }[] = [];
  readonly settlement: TurnSettlement;
  current = new Incarnation('me-1', 0, Infinity);
  draining = false;

  constructor(through: Database = database) {
    const isOwn = (id: string): boolean => id.startsWith('me-');
    const lease = { isOwn } as unknown as WorkerLease;
    Object.defineProperty(lease, 'current', { get: () => this.current });
    this.settlement = new TurnSettlement({
      ...{ database: through, pipelines: stage.pipelines, lease, turns: this.turns },
      isDraining: () => this.draining,
      onUntold: () => undefined,
      onRunning: (turn, _, steps) => this.running.push({ turn, steps }),
    });
  }

  /** A turn of the job that this worker has. */
  take(jobId: string, head: number, pipeline: StoredPipeline = chain): ActiveTurn {
    const message = { job_id: jobId, run: 1, head, at: 1, read: false, pipeline_hash: pipeline.hash };
    const turn = new ActiveTurn(message, {} as Delivery, this.current);
    turn.pipeline = pipeline;
    turn.fast = true;
    turn.current = { idx: head, epoch: 1, attempt: 1, grantedBy: this.current };
    turn.startedAt = MEASURED.startedAt;
    this.turns.add(turn);
    return turn;
  }
}

async function withWorker(work: (worker: Worker) => Promise<void>, through: Database = database): Promise<void> {
  const worker = new Worker(through);
  try {
    await work(worker);
  } finally {
    await worker.settlement.close();
  }
}

const completed = (idx: number): FastStep => ({ kind: 'completed', idx, output: {}, ...MEASURED });

describe('a step that a turn has begun unread', () => {
  it('is recorded as running at the next flush, with what the turn had completed before it', async () => {
    await withWorker(async (worker) => {
      const id = await stage.put(chain);
      const turn = worker.take(id, 0);
      turn.unrecorded = [completed(0)];
      turn.current = { idx: 1, epoch: 1, attempt: 1, grantedBy: worker.current };
      worker.settlement.began(turn);
      await until(() => worker.running.length === 1);
      await turn.recording;
      const { rows, fields } = await stage.read(id);
      expect(rows.map((row) => [row.idx, row.status, row.worker])).toEqual([
        [0, 'completed', 'me-1'],
        [1, 'running', 'me-1'],
      ]);
      expect(fields).toMatchObject({ done: set(0), open: set(1), slow: 0n });
      expect([turn.recorded, turn.unrecorded, turn.stale]).toEqual([true, [], false]);
    });
  });

  it('is not recorded when it has ended before the flush', async () => {
    await withWorker(async (worker) => {
      const [id, other] = [await stage.put(chain), await stage.put(chain)];
      const turn = worker.take(id, 0);
      worker.settlement.began(turn);
      worker.settlement.ended(turn);
      const marker = worker.take(other, 0);
      marker.unrecorded = [completed(0)];
      await worker.settlement.settleFast(marker, chain);
      await worker.settlement.close();
      expect(worker.running).toEqual([]);
      expect((await stage.read(id)).rows).toEqual([]);
    });
  });

  it('is stopped as stale when somebody else owns it by now', async () => {
    await withWorker(async (worker) => {
      const id = await stage.put(chain, { fields: { slow: set(0) } });
      const turn = worker.take(id, 0);
      const reasons: string[] = [];
      turn.abort = (reason) => reasons.push(reason);
      worker.settlement.began(turn);
      await until(() => turn.stale);
      expect([reasons, turn.inDoubt, worker.running]).toEqual([['stale'], false, []]);
      expect((await stage.read(id)).rows).toEqual([]);
    });
  });
});

describe('the step that a turn goes on with', () => {
  const mixed = pipelineOf([
    stepNamed('a'),
    stepNamed('elsewhere', { needs: ['a'], queue: 'other' }),
    stepNamed('limited', { needs: ['a'], concurrency: 1 }),
    stepNamed('here', { needs: ['a'] }),
  ]);

  async function keptBy(prepare: (worker: Worker, turn: ActiveTurn) => void): Promise<number | null> {
    const pipeline = await stage.save(mixed);
    const id = await stage.put(pipeline);
    let kept: number | null = -1;
    await withWorker(async (worker) => {
      const turn = worker.take(id, 0, pipeline);
      turn.unrecorded = [completed(0)];
      prepare(worker, turn);
      const settled = await worker.settlement.settleFast(turn, pipeline);
      if (settled.kind === 'settled') ({ kept } = settled);
    });
    return kept;
  }

  it('is of its own queue and needs no token', async () => {
    expect(await keptBy(() => undefined)).toBe(3);
  });

  it('is none when the worker drains, has no lease, or the turn has had its time', async () => {
    expect(await keptBy((worker) => (worker.draining = true))).toBeNull();
    expect(await keptBy((worker) => worker.current.end())).toBeNull();
    expect(await keptBy((_, turn) => Object.assign(turn, { startedAtMs: performance.now() - 60_000 }))).toBeNull();
  });
});

describe('a claim', () => {
  const suspect = { idx: 0, status: 'queued', crashes: 1, epoch: 2, attempts: 1 } as const;
  const putSuspect = (): Promise<string> => stage.put(chain, { fields: { slow: set(0) }, rows: [suspect] });

  it('takes one suspect at a time', async () => {
    await withWorker(async (worker) => {
      const [one, other] = [worker.take(await putSuspect(), 0), worker.take(await putSuspect(), 0)];
      expect((await worker.settlement.claim(one, worker.current))?.result).toMatchObject({
        kind: 'taken',
        suspectMs: 60_000,
      });
      expect((await worker.settlement.claim(other, worker.current))?.result).toEqual({ kind: 'suspect_waits' });
      worker.turns.setSuspect(one, false);
      expect((await worker.settlement.claim(other, worker.current))?.result).toMatchObject({ kind: 'taken' });
    });
  });

  it('of a suspect, made anew because the lease was lost before it began, does not wait for itself', async () => {
    await withWorker(async (worker) => {
      const turn = worker.take(await putSuspect(), 0);
      expect((await worker.settlement.claim(turn, worker.current))?.result).toMatchObject({ kind: 'taken', epoch: 3 });
      worker.current = new Incarnation('me-2', 0, Infinity);
      expect((await worker.settlement.claim(turn, worker.current))?.result).toMatchObject({ kind: 'taken', epoch: 4 });
      expect(worker.turns.mayTakeSuspect()).toBe(false);
      worker.turns.setSuspect(turn, false);
      expect(worker.turns.mayTakeSuspect()).toBe(true);
    });
  });

  it('of a suspect does not wait for itself when it is made again after its batch had failed', async () => {
    let failures = 1;
    const once = watched(database, ({ name }) => {
      if (name === 'write_drafts' && failures-- > 0) throw new Error('cannot be written');
    });
    await withWorker(async (worker) => {
      const [one, other] = [worker.take(await putSuspect(), 0), worker.take(await stage.put(chain), 0)];
      const claims = await Promise.all([one, other].map((turn) => worker.settlement.claim(turn, worker.current)));
      expect(claims.map((claim) => claim?.result.kind)).toEqual(['taken', 'taken']);
      expect(failures).toBeLessThan(1);
    }, once);
  });
});

describe('a settlement whose answer was lost', () => {
  it('is made again, found stale, and known to be in doubt', async () => {
    let lost = 0;
    // The connection breaks after the statement: it is committed, and nobody is told.
    const breaking = watched(database, async ({ name, text, values }) => {
      if (name !== 'fast_settle' || (lost += 1) > 1) return;
      await stage.server.query(text, values);
      throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    });
    await withWorker(async (worker) => {
      const id = await stage.put(chain);
      const turn = worker.take(id, 0);
      turn.unrecorded = [completed(0)];
      expect(await worker.settlement.settleFast(turn, chain)).toEqual({ kind: 'stale' });
      expect([turn.inDoubt, lost]).toEqual([true, 2]);
      expect((await stage.read(id)).fields).toMatchObject({ done: set(0), version: 2 });
    }, breaking);
  });

  it('is not made again by a worker that drains: redelivery finds out', async () => {
    const broken = watched(database, ({ name }) => {
      if (name === 'fast_settle') throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    });
    await withWorker(async (worker) => {
      worker.draining = true;
      const turn = worker.take(await stage.put(chain), 0);
      turn.unrecorded = [completed(0)];
      await expect(worker.settlement.settleFast(turn, chain)).rejects.toThrow('EPIPE');
      expect(turn.inDoubt).toBe(true);
    }, broken);
  });
});
