import type { Delivery } from '#shared/bus/work-consumer';
import type { Logger } from '#shared/runtime/logger';
import type { CancelLook, LookPosition } from '#shared/store/jobs/cancels';
import { Incarnation } from '../lease/worker-lease';
import { ActiveTurn } from '../turn/active-turn';
import { ActiveTurns } from '../turn/active-turns';
import { CancelWatch } from './cancel-watch';
import { CancelledJobs } from './cancelled-jobs';

const ME = new Incarnation('me', 0, Infinity);

/** A worker's part in cancels, on a database that answers as the test wants; `story` is what it was told. */
class Bench {
  readonly story: string[] = [];
  readonly turns = new ActiveTurns();
  readonly cancelled = new CancelledJobs(() => undefined);
  looks: (CancelLook | Error)[] = [];
  duringLook: () => unknown = () => undefined;
  readonly watch = new CancelWatch({
    cancels: {
      look: async ({ id }: LookPosition) => {
        this.story.push(id.startsWith('0000') ? 'look' : `look on from ${id}`);
        await this.duringLook();
        const look = this.looks.shift() ?? { jobs: [], at: 0, next: null };
        if (look instanceof Error) throw look;
        return look;
      },
      acknowledge: async (worker, until, windingDown) => {
        this.story.push(`acknowledge ${worker} ${until} [${windingDown.join()}]`);
      },
    },
    lease: { current: ME },
    ...{ turns: this.turns, cancelled: this.cancelled },
    onAcknowledged: () => this.story.push('wake'),
    log: { warn: () => this.story.push('warn') } as unknown as Logger,
  });

  add(jobId: string, run = 1): ActiveTurn {
    const message = { job_id: jobId, run, head: 0, at: 1, read: false, pipeline_hash: 'h' };
    const turn = new ActiveTurn(message, {} as Delivery, ME);
    turn.abort = (reason) => this.story.push(`${jobId} run ${run}: ${reason}`);
    this.turns.add(turn);
    return turn;
  }
}

const look = (...jobs: [id: string, run: number][]): CancelLook => ({
  jobs: jobs.map(([id, run]) => ({ id, run })),
  ...{ at: 7, next: null },
});

it('says nothing where nothing is cancelled', async () => {
  const bench = new Bench();
  bench.add('a');
  await bench.watch.look();
  expect(bench.story).toEqual(['look']);
});

it('stops what runs of a cancelled job, and names it until that has ended', async () => {
  const bench = new Bench();
  const [running, other] = [bench.add('a'), bench.add('b')];
  bench.looks = [look(['a', 1], ['c', 1]), look(['a', 1], ['c', 1])];
  await bench.watch.look();
  expect(bench.story.splice(0)).toEqual(['look', 'a run 1: cancelled', 'acknowledge me 7 [a]', 'wake']);
  expect([running.cancelled, other.cancelled, bench.cancelled.has('c', 1)]).toEqual([true, false, true]);
  bench.turns.delete(running);
  await bench.watch.look();
  expect(bench.story).toEqual(['look', 'acknowledge me 7 []', 'wake']);
});

it('leaves a later run of the job alone', async () => {
  const bench = new Bench();
  const [late] = [bench.add('a', 2)];
  bench.looks = [look(['a', 1])];
  await bench.watch.look();
  expect(late?.cancelled).toBe(false);
  expect(bench.story).toContain('acknowledge me 7 []');
});

it('names a turn that was taken during the look', async () => {
  const bench = new Bench();
  bench.duringLook = () => bench.add('a');
  bench.looks = [look(['a', 1])];
  await bench.watch.look();
  expect(bench.story).toContain('acknowledge me 7 [a]');
});

it('looks once more when it is asked during a look, however often', async () => {
  const bench = new Bench();
  const asked: Promise<void>[] = [];
  bench.duringLook = () => {
    if (asked.length === 0) asked.push(bench.watch.look(), bench.watch.look());
  };
  await bench.watch.look();
  await Promise.all(asked);
  expect(bench.story).toEqual(['look', 'look']);
});

it('goes on after a look that fails, and has acknowledged nothing', async () => {
  const bench = new Bench();
  bench.looks = [new Error('away'), look(['a', 1])];
  await bench.watch.look();
  expect(bench.story.splice(0)).toEqual(['look', 'warn']);
  await bench.watch.look();
  expect(bench.story).toEqual(['look', 'acknowledge me 7 []', 'wake']);
});

it('looks at all pages before it acknowledges the first, and names what it stopped of any', async () => {
  const bench = new Bench();
  for (const job of ['a', 'c']) bench.add(job);
  bench.looks = [
    { ...look(['a', 1], ['b', 1]), next: { cancelAt: 3, id: 'b' } },
    { ...look(['c', 1]), at: 12 },
  ];
  await bench.watch.look();
  expect(bench.story).toEqual([
    ...['look', 'a run 1: cancelled', 'look on from b', 'a run 1: cancelled', 'c run 1: cancelled'],
    ...['acknowledge me 7 [a,c]', 'wake'],
  ]);
});

it('acknowledges nothing when a later page cannot be read', async () => {
  const bench = new Bench();
  bench.looks = [{ ...look(['a', 1]), next: { cancelAt: 3, id: 'a' } }, new Error('away')];
  await bench.watch.look();
  expect(bench.story).toEqual(['look', 'look on from a', 'warn']);
});
