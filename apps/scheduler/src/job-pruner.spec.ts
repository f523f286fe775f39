import type { Logger } from '#shared/runtime/logger';
import { EXPIRY_START, type ExpiryPosition } from '#shared/store/jobs/expired-jobs';
import { JobPruner } from './job-pruner';

const MINUTE_MS = 60_000;

class Stage {
  nowMs = 0;
  tookMs = 0;
  lines: object[] = [];
  batches: string[][] = [];
  pages: { ids: string[]; next: ExpiryPosition | null }[] = [];
  positions: ExpiryPosition[] = [];
  /** Jobs that stay, whatever is tried. */
  needed = new Set<string>();

  pruner(retentionMs = 30 * 86_400_000): JobPruner {
    const log = { info: (details: object) => this.lines.push(details) } as unknown as Logger;
    return new JobPruner({
      expired: {
        page: async (from) => {
          this.positions.push(from);
          return this.pages.shift() ?? { ids: [], next: null };
        },
      },
      deletions: {
        prune: async (ids) => {
          this.batches.push([...ids]);
          this.nowMs += this.tookMs;
          return ids.filter((id) => !this.needed.has(id)).length;
        },
      },
      ...{ retentionMs, log, nowMs: () => this.nowMs },
    });
  }
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `job ${index}`);

it('removes a page in batches, and goes round: at its end it rests, and begins anew', async () => {
  const stage = new Stage();
  const next = { createdAt: 5, id: 'x' };
  stage.pages = [
    { ids: ids(450), next },
    { ids: [], next: null },
  ];
  const pruner = stage.pruner();
  const pauses: number[] = [];
  for (let round = 0; round < 6; round += 1) pauses.push(await pruner.runOnce());
  expect(stage.batches.map(({ length }) => length)).toEqual([200, 200, 50]);
  expect(stage.positions).toEqual([EXPIRY_START, next, EXPIRY_START]);
  expect(pauses).toEqual([10, 10, 10, 10, MINUTE_MS, MINUTE_MS]);
});

it('takes a quarter of the time at most, and smaller batches where they take long', async () => {
  const stage = new Stage();
  stage.pages = [{ ids: ids(1_000), next: null }];
  stage.tookMs = 600;
  const pruner = stage.pruner();
  await pruner.runOnce();
  expect(await pruner.runOnce()).toBe(1_800);
  await pruner.runOnce();
  stage.tookMs = 100;
  await pruner.runOnce();
  await pruner.runOnce();
  expect(stage.batches.map(({ length }) => length)).toEqual([200, 100, 50, 100]);
});

it('is not held up by what has to stay', async () => {
  const stage = new Stage();
  stage.pages = [{ ids: ids(3), next: null }];
  stage.needed = new Set(['job 0', 'job 2']);
  const pruner = stage.pruner();
  await pruner.runOnce();
  expect(await pruner.runOnce()).toBe(MINUTE_MS);
  expect(stage.lines).toEqual([{ jobs: 1 }]);
});

it('says once a minute what it has removed', async () => {
  const stage = new Stage();
  stage.pages = [{ ids: ids(1_000), next: null }];
  const pruner = stage.pruner();
  for (let round = 0; round < 5; round += 1) await pruner.runOnce();
  stage.nowMs += MINUTE_MS;
  await pruner.runOnce();
  expect(stage.lines).toEqual([{ jobs: 200 }, { jobs: 800 }]);
});

it('looks more often where jobs are kept for a short time only', () => {
  expect(new Stage().pruner(1_000).roundPauseMs()).toBe(1_000);
  expect(new Stage().pruner(100_000).roundPauseMs()).toBe(10_000);
});
