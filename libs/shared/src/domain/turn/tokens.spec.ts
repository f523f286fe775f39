import type { JobDraft, StepRow } from '#shared/domain/turn/job-draft';
import { returnTokens, takeTokens, tokensOf } from '#shared/domain/turn/tokens';
import { draftOf, pipelineOf, poolsOf, stepNamed } from '../../../../../test/support/drafts';

const STEP = stepNamed('a', { concurrency: 2, resources: { llm: 3, gpu: 1 } });

function draftWithRow(row: Partial<StepRow> = {}): [JobDraft, StepRow] {
  const draft = draftOf({ pipeline: pipelineOf([STEP]), rows: [{ idx: 0, status: 'running', ...row }] });
  const found = draft.rows.get(0);
  if (!found) throw new Error('no row');
  return [draft, found];
}

describe('tokensOf', () => {
  it('are one of the own limit and so many of each resource; the step says only the size of its own', () => {
    expect(tokensOf('ingest', STEP)).toEqual([
      { pool: 'resource:llm', count: 3, max: null },
      { pool: 'resource:gpu', count: 1, max: null },
      { pool: 'step:ingest/a', count: 1, max: 2 },
    ]);
    expect(tokensOf('ingest', stepNamed('free'))).toEqual([]);
  });
});

describe('takeTokens', () => {
  it('takes all up to the last one, and none when one is missing', () => {
    const [draft, row] = draftWithRow();
    const short = { 'resource:llm': [1, 4], 'resource:gpu': [0, 1], 'step:tried/a': [2, 2] } as const;
    const pools = poolsOf(short);
    expect(takeTokens(draft, row, pools)).toBe('step:tried/a');
    expect([row.held, pools]).toEqual([false, poolsOf(short)]);
    const enough = poolsOf({ ...short, 'step:tried/a': [1, 2] });
    expect(takeTokens(draft, row, enough)).toBeNull();
    expect([row.held, enough]).toEqual([
      true,
      poolsOf({ 'resource:llm': [4, 4], 'resource:gpu': [1, 1], 'step:tried/a': [2, 2] }),
    ]);
  });

  it('names the first pool that has no room', () => {
    const [draft, row] = draftWithRow();
    const free = { 'resource:llm': [0, 3], 'resource:gpu': [0, 1], 'step:tried/a': [0, 2] } as const;
    const short = (full: Parameters<typeof poolsOf>[0]): string | null =>
      takeTokens(draft, row, poolsOf({ ...free, ...full }));
    expect(short({ 'resource:llm': [1, 3] })).toBe('resource:llm');
    expect(short({ 'resource:gpu': [1, 1], 'step:tried/a': [2, 2] })).toBe('resource:gpu');
    expect(short({ 'step:tried/a': [2, 2] })).toBe('step:tried/a');
    expect(takeTokens(draft, row, poolsOf({ 'resource:llm': [0, 3] }))).toBe('resource:gpu');
    expect(short({})).toBeNull();
  });

  it('takes nothing twice, and nothing for a step without a limit', () => {
    const [draft, row] = draftWithRow({ held: true });
    expect(takeTokens(draft, row, new Map())).toBeNull();
    const free = draftOf({ rows: [{ idx: 0 }] });
    const freeRow = free.rows.get(0);
    if (!freeRow) throw new Error('no row');
    expect(takeTokens(free, freeRow, new Map())).toBeNull();
    expect(freeRow.held).toBe(false);
  });
});

describe('returnTokens', () => {
  it('gives back exactly what was taken, once', () => {
    const [draft, row] = draftWithRow();
    const before = { 'resource:llm': [2, 9], 'resource:gpu': [3, 9], 'step:tried/a': [1, 9] } as const;
    const pools = poolsOf(before);
    takeTokens(draft, row, pools);
    returnTokens(draft, row, pools);
    returnTokens(draft, row, pools);
    expect([row.held, pools]).toEqual([false, poolsOf(before)]);
  });

  it('never leaves fewer than none in use', () => {
    const [draft, row] = draftWithRow({ held: true });
    const pools = poolsOf({ 'resource:llm': [1, 9], 'resource:gpu': [0, 9], 'step:tried/a': [0, 9] });
    returnTokens(draft, row, pools);
    expect([...pools.values()].map((pool) => pool.used)).toEqual([0, 0, 0]);
  });

  it('says so when a pool is not at hand: then nothing may be written', () => {
    const [draft, row] = draftWithRow({ held: true });
    expect(() => returnTokens(draft, row, new Map())).toThrow('token pool resource:llm was not locked');
  });
});
