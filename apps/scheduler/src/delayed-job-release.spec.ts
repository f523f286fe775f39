import { pipelineGraph } from '#shared/domain/pipeline';
import type { Logger } from '#shared/runtime/logger';
import type { DueJobs, DueLook, ReleasedJob } from '#shared/store/jobs/due-jobs';
import type { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { NOW, pipelineOf, SECOND, set, stepNamed } from '../../../test/support/drafts';
import { DelayedJobRelease } from './delayed-job-release';
import type { HandedOut, Lateness } from './lateness';
import type { Dispatch, TurnDispatch } from './turn-dispatch';

const BATCH = 500;
const PIPELINE = { hash: 'h', definition: pipelineOf([stepNamed('a')]), graph: pipelineGraph([stepNamed('a')]) };

/** A database that holds jobs, and a stream that takes their turns when the test says so. */
class World {
  /** When each of the jobs that are still held is due. */
  held: number[] = [];
  locked = 0;
  looks = 0;
  isConnected = true;
  /** Stores at once; otherwise the turns wait in `sent`. */
  stores: number | undefined = 1;
  readonly sent: { readonly turn: Dispatch; readonly stored: (count: number) => void }[] = [];
  readonly observed: HandedOut[] = [];
  readonly said: string[] = [];
  /** Set: looks wait until they are let through. */
  gate: Promise<void> | undefined;
  readonly release: DelayedJobRelease;

  constructor() {
    this.release = new DelayedJobRelease({
      due: { release: (limit: number) => this.look(limit) } as DueJobs,
      all: { release: (limit: number) => this.look(limit) } as DueJobs,
      pipelines: { peek: () => PIPELINE } as unknown as PipelineStore,
      dispatch: this.dispatch(),
      lateness: {
        able: () => this.said.push('able'),
        unable: () => this.said.push('unable'),
        observe: (one: HandedOut) => this.observed.push(one),
        report: () => this.said.push('report'),
      } as unknown as Lateness,
      log: { debug: () => undefined } as unknown as Logger,
    });
  }

  /** The database's time. */
  get now(): number {
    return NOW + Math.round(performance.now() * 1_000);
  }

  private dispatch(): TurnDispatch {
    const send = (turn: Dispatch): Promise<number> =>
      this.stores === undefined
        ? new Promise((stored) => this.sent.push({ turn, stored }))
        : Promise.resolve(this.stores);
    const dispatch = { send, tell: () => undefined };
    return Object.defineProperty(dispatch, 'isConnected', { get: () => this.isConnected }) as unknown as TurnDispatch;
  }

  private async look(limit: number): Promise<DueLook> {
    this.looks += 1;
    const { now } = this;
    await this.gate;
    const due = this.held.filter((dueAt) => dueAt <= now).sort((a, b) => a - b);
    const taken = due.slice(this.locked, this.locked + limit);
    this.held = this.held.filter((dueAt) => !taken.includes(dueAt));
    const later = this.held.filter((dueAt) => dueAt > now);
    return {
      jobs: taken.map((dueAt) => job(dueAt, now)),
      now,
      next: later.length === 0 ? null : Math.min(...later),
      isFull: taken.length === limit,
      isBlocked: taken.length < limit && due.length > taken.length,
    };
  }
}

const job = (dueAt: number, now: number): ReleasedJob => ({
  ...{ id: String(dueAt), run: 1, status: 'pending', pipelineHash: 'h', priority: 'default', version: 2 },
  ...{ opened: set(0), releasedAt: now, dueAt },
  data: { source: null, source_type: null, branch: null, commit: null, input: {}, options: {}, outputs: {} },
});

const settle = (): Promise<unknown> => jest.advanceTimersByTimeAsync(0);

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

describe('DelayedJobRelease', () => {
  it('sleeps until the next job is due, at most a second', async () => {
    const world = new World();
    expect(await world.release.runOnce()).toBe(1_000);
    world.held = [world.now + 0.25 * SECOND, world.now + 60 * SECOND];
    expect(await world.release.runOnce()).toBe(250);
    jest.advanceTimersByTime(250);
    expect(await world.release.runOnce()).toBe(1_000);
    expect(world.observed).toMatchObject([{ dueAt: world.now, releasedAt: world.now }]);
    expect(world.looks).toBe(3);
  });

  it('goes from batch to batch in one round, and ends a round even when there is no end of due jobs', async () => {
    const world = new World();
    const add = (count: number): void => {
      for (let n = 1; n <= count; n += 1) world.held.push(world.now - n);
    };
    add(2 * BATCH + 1);
    expect(await world.release.runOnce()).toBe(1_000);
    expect(world.looks).toBe(3);
    add(21 * BATCH);
    expect(await world.release.runOnce()).toBe(0);
    expect(world.looks).toBe(23);
    expect(world.held).toHaveLength(BATCH);
  });

  it('publishes no more at once than a bound, and takes no more out of the database meanwhile', async () => {
    const world = new World();
    world.stores = undefined;
    for (let n = 1; n <= 5_000; n += 1) world.held.push(world.now - n);
    const round = world.release.runOnce();
    await settle();
    // One batch waits to be published, the one after it has been asked for.
    expect(world.sent).toHaveLength(1_000);
    expect(world.looks).toBe(4);
    world.sent.forEach(({ stored }) => stored(1));
    await settle();
    expect(world.sent).toHaveLength(2_000);
    expect(world.looks).toBe(6);
    world.stores = 1;
    world.sent.forEach(({ stored }) => stored(1));
    await round;
    expect(world.held).toEqual([]);
    expect(world.observed).toHaveLength(5_000);
  });

  it('has Postgres work on the next batch while it publishes the one before', async () => {
    const world = new World();
    world.stores = undefined;
    let open = (): void => undefined;
    for (let n = 1; n <= BATCH + 1; n += 1) world.held.push(world.now - n);
    const round = world.release.runOnce();
    world.gate = new Promise((resolve) => (open = resolve));
    await settle();
    expect([world.looks, world.sent.length]).toEqual([2, BATCH]);
    open();
    await round;
    expect(world.sent).toHaveLength(BATCH + 1);
  });

  it('looks less and less often at jobs that somebody else has locked, and at once again for others', async () => {
    const world = new World();
    world.held = [world.now];
    world.locked = 1;
    const pauses: number[] = [];
    for (let look = 0; look < 9; look += 1) pauses.push(await world.release.runOnce());
    expect(pauses).toEqual([10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]);
    world.held.push(world.now + 0.005 * SECOND);
    expect(await world.release.runOnce()).toBe(5);
    world.locked = 0;
    jest.advanceTimersByTime(5);
    expect(await world.release.runOnce()).toBe(1_000);
    expect(world.observed).toHaveLength(2);
    world.held = [world.now];
    world.locked = 1;
    expect(await world.release.runOnce()).toBe(10);
  });

  it('holds jobs while NATS is out of reach', async () => {
    const world = new World();
    world.held = [world.now];
    world.isConnected = false;
    expect([await world.release.runOnce(), await world.release.runThrough()]).toEqual([1_000, 1_000]);
    expect([world.looks, world.said]).toEqual([0, ['unable', 'report', 'unable']]);
    world.isConnected = true;
    await world.release.runOnce();
    expect([world.looks, world.said.at(-2)]).toEqual([1, 'able']);
  });

  it('holds them for a second after the stream took nothing, in the middle of a burst too', async () => {
    const world = new World();
    world.stores = 0;
    for (let n = 1; n <= 10 * BATCH; n += 1) world.held.push(world.now - n);
    await world.release.runOnce();
    expect(world.looks).toBeLessThanOrEqual(3);
    const { looks } = world;
    expect(await world.release.runOnce()).toBe(1_000);
    expect(world.looks).toBe(looks);
    expect(world.observed).toEqual([]);
    world.stores = 1;
    jest.advanceTimersByTime(1_000);
    await world.release.runOnce();
    expect(world.held).toEqual([]);
  });

  it('has something to wake up for only when that is due before the next look', async () => {
    const world = new World();
    expect(world.release.isBeforeNextLook(world.now + 3_600 * SECOND)).toBe(true);
    world.held = [world.now + 0.5 * SECOND];
    await world.release.runOnce();
    expect(world.release.isBeforeNextLook(world.now + 0.499 * SECOND)).toBe(true);
    // Pauses may be a tenth longer than was asked for.
    expect(world.release.isBeforeNextLook(world.now + 0.54 * SECOND)).toBe(true);
    expect(world.release.isBeforeNextLook(world.now + 0.56 * SECOND)).toBe(false);
    // One under way may not see it; what is due later than the one after that cannot be missed.
    world.gate = new Promise(() => undefined);
    void world.release.runOnce();
    await settle();
    expect(world.release.isBeforeNextLook(world.now + 1.5 * SECOND)).toBe(true);
    expect(world.release.isBeforeNextLook(world.now + 2.5 * SECOND)).toBe(false);
  });

  it('says that it cannot when Postgres does not answer', async () => {
    const world = new World();
    world.gate = Promise.reject(new Error('no database'));
    await expect(world.release.runOnce()).rejects.toThrow('no database');
    expect(world.said).toEqual(['unable']);
  });
});
