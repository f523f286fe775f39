import { FastSettlement, type FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { RunningRecord } from '#shared/store/jobs/running-record';
import { CHAIN, MEASURED, set } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;
let chain: StoredPipeline;
let record: RunningRecord;
/** The main thread's own. */
let settlement: FastSettlement;

beforeAll(async () => {
  stage = await openStage();
  chain = await stage.save(CHAIN);
  record = new RunningRecord(await stage.connect());
  settlement = new FastSettlement(await stage.connect(), () => 'me');
});
afterAll(async () => {
  await settlement.close();
  await stage.close();
});

const head = (jobId: string) => ({ jobId, run: 1, head: 0, startedAt: MEASURED.startedAt });
const pending = () => stage.put(chain, { fields: { status: 'pending' } });
const settle = (jobId: string, steps: FastStep[]) =>
  settlement.settle({ jobId, run: 1, head: 0, graph: chain.graph, steps, keepable: 0n });

/** All but what tells two jobs apart and says how often one was written. */
async function stateOf(id: string): Promise<unknown> {
  const { fields, versions: _, ...rest } = await stage.read(id);
  return { ...rest, fields: { ...fields, id: null, version: null, dispatchedAt: null } };
}

describe('RunningRecord', () => {
  it('records what runs, several at once, and again later', async () => {
    for (const ids of [[await pending(), await pending(), await pending()], [await pending()]]) {
      await record.write('me', ids.map(head));
      for (const id of ids) {
        const { fields, rows } = await stage.read(id);
        expect(fields).toMatchObject({ status: 'running', open: set(0), done: 0n, slow: 0n });
        expect([...rows.values()]).toMatchObject([
          { idx: 0, status: 'running', epoch: 1, worker: 'me', turn: 0, startedAt: MEASURED.startedAt },
        ]);
      }
    }
  });

  it.each<[string, FastStep[]]>([
    ['completes the step', [{ kind: 'completed', idx: 0, output: { a: 1 }, ...MEASURED }]],
    ['records it too', [{ kind: 'running', idx: 0, startedAt: MEASURED.startedAt }]],
  ])('leaves all as it would be had it not been there, once the main thread %s', async (_, steps) => {
    const [recorded, left] = [await pending(), await pending()];
    await record.write('me', [head(recorded)]);
    for (const id of [recorded, left]) expect(await settle(id, steps)).toMatchObject({ kind: 'settled' });
    expect(await stateOf(recorded)).toEqual(await stateOf(left));
  });

  it('changes nothing of what has ended, or is somebody else’s, meanwhile', async () => {
    const done = await pending();
    await settle(done, [{ kind: 'completed', idx: 0, output: {}, ...MEASURED }]);
    const claimed = await stage.put(chain, {
      fields: { slow: set(0) },
      rows: [{ idx: 0, status: 'running', epoch: 2, worker: 'other', turn: 0 }],
    });
    const cancelled = await stage.put(chain, { fields: { status: 'cancelled', open: 0n } });
    const before = await stage.dump();
    await record.write('me', [done, claimed, cancelled].map(head));
    expect(await stage.dump()).toEqual(before);
  });
});
