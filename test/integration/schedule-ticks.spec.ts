import type { ScheduleView } from '#shared/contracts/schedule';
import { StuckSteps } from '#shared/store/jobs/stuck-steps';
import { ScheduleStage, type TickerStage } from './schedule-stage';

let stage: ScheduleStage;
let one: TickerStage;

beforeAll(async () => {
  stage = await ScheduleStage.open();
  one = await stage.ticker();
});
afterAll(() => stage.close());
beforeEach(async () => {
  await stage.clear();
  await stage.setNow('2026-05-01T12:00:30Z');
  for (const list of [one.sent, one.told, one.late, one.logged]) list.length = 0;
});

const found = async (schedule: ScheduleView): Promise<ScheduleView> => {
  const view = await stage.schedules.get(schedule.id);
  if (!view) throw new Error('the schedule is gone');
  return view;
};

describe('a schedule that is due', () => {
  test('makes its job at its time, not before, with all that a turn needs', async () => {
    const job = {
      pipeline: 'nightly',
      input: { n: 1 },
      priority: 'high',
      tags: ['t'],
      options: { a: { duration_ms: 1 } },
    };
    const schedule = await stage.make({ job });
    expect(schedule.next_runs[0]).toBe('2026-05-01T12:01:00.000Z');
    await stage.setNow('2026-05-01T12:00:59.999Z');
    expect(await one.ticker.runOnce()).toBeLessThanOrEqual(1);
    expect(await stage.jobs(schedule)).toEqual([]);
    await stage.setNow('2026-05-01T12:01:00.007Z');
    expect(await one.ticker.runOnce()).toBeLessThanOrEqual(1_000);
    const [made, ...others] = await stage.jobs(schedule);
    expect(others).toEqual([]);
    expect(made).toMatchObject({ status: 'pending', depends_on: null });
    // Its record says how late it was.
    expect((made?.queued_at?.getTime() ?? 0) - (made?.eta.getTime() ?? 0)).toBe(7);
    expect(one.sent).toEqual([
      expect.objectContaining({
        ...{
          jobId: made?.id,
          run: 1,
          priority: 'high',
          steps: 0b101n,
          read: false,
          at: Date.parse('2026-05-01T12:01:00.007Z') * 1_000,
        },
        data: expect.objectContaining({ input: { n: 1 }, options: { a: { duration_ms: 1 } } }) as unknown,
      }),
    ]);
    expect(one.told).toEqual([`${made?.id} job.pending pending`]);
    const [dueAt, releasedAt] = ['2026-05-01T12:01:00.000Z', '2026-05-01T12:01:00.007Z'].map(
      (at) => Date.parse(at) * 1_000,
    );
    expect(one.late).toEqual([{ dueAt, releasedAt, askedAtMs: expect.any(Number) as number }]);
    const after = await found(schedule);
    expect(after).toMatchObject({ last_error: null, skipped_count: 0, missed_count: 0 });
    expect(after.last_jobs).toEqual([
      expect.objectContaining({ id: made?.id, status: 'pending', due_at: '2026-05-01T12:01:00.000Z' }),
    ]);
    expect(after.next_runs[0]).toBe('2026-05-01T12:02:00.000Z');
  });

  test('a disabled one makes none', async () => {
    const schedule = await stage.make({ enabled: false });
    await stage.setNow('2026-05-01T13:00:00Z');
    expect(await one.ticker.runOnce()).toBe(1_000);
    expect([await stage.jobs(schedule), schedule.next_runs]).toEqual([[], []]);
  });

  test('enabled again it makes nothing of what was due meanwhile', async () => {
    const schedule = await stage.make({ catch_up: 'all', overlap: 'allow' });
    await stage.schedules.update(schedule.id, { enabled: false });
    await stage.setNow('2026-05-01T12:10:30Z');
    const enabled = await stage.schedules.update(schedule.id, { enabled: true });
    expect(enabled?.next_runs[0]).toBe('2026-05-01T12:11:00.000Z');
    await one.ticker.runOnce();
    expect(await stage.jobs(schedule)).toEqual([]);
  });

  test('tells the time until the next one, by the database', async () => {
    await stage.make({ cron: '* * * * * *' });
    await stage.setNow('2026-05-01T12:00:30.400Z');
    expect(await one.ticker.runOnce()).toBeCloseTo(600, 0);
  });
});

describe('a scheduler', () => {
  test('makes nothing while NATS is away, and everything after that', async () => {
    let isConnected = false;
    const dispatch = {
      get isConnected() {
        return isConnected;
      },
    };
    const away = await stage.ticker(dispatch);
    const schedule = await stage.make({ overlap: 'allow', catch_up: 'all' });
    await stage.setNow('2026-05-01T12:02:30Z');
    expect(await away.ticker.runOnce()).toBe(1_000);
    expect(await stage.due(schedule)).toEqual([]);
    isConnected = true;
    await away.ticker.runOnce();
    expect(await stage.due(schedule)).toEqual(['12:01:00', '12:02:00']);
  });

  test('makes no more at once than it has room for, however large the jobs and however long the outage', async () => {
    const job = { pipeline: 'nightly', input: { large: 'x'.repeat(900_000) } };
    const large = await Promise.all(
      Array.from({ length: 6 }, () => stage.make({ overlap: 'allow', catch_up: 'all', job })),
    );
    await stage.setNow('2026-05-01T12:25:30Z');
    const made: number[] = [];
    for (let pauseMs = 0; pauseMs <= 10 && made.length < 50;) {
      const before = one.sent.length;
      pauseMs = await one.ticker.runOnce();
      made.push(one.sent.length - before);
    }
    expect(made.reduce((sum, count) => sum + count, 0)).toBe(6 * 25);
    expect(Math.max(...made)).toBeLessThanOrEqual(25);
    for (const schedule of large) expect(await stage.due(schedule)).toHaveLength(25);
  });
});

describe('several schedulers', () => {
  test('make each run once, whichever is first', async () => {
    const others = await Promise.all([stage.ticker(), stage.ticker(), stage.ticker()]);
    const all = [one, ...others].map(({ ticker }) => ticker);
    const schedules = await Promise.all(
      Array.from({ length: 120 }, () => stage.make({ overlap: 'allow', catch_up: 'all' })),
    );
    for (const minute of ['01', '02', '05']) {
      await stage.setNow(`2026-05-01T12:${minute}:00Z`);
      await Promise.all(all.map(async (ticker) => ((await ticker.runOnce()) <= 10 ? ticker.runOnce() : 0)));
    }
    for (const schedule of schedules) {
      expect(await stage.due(schedule)).toEqual(['12:01:00', '12:02:00', '12:03:00', '12:04:00', '12:05:00']);
    }
    const sent = [one, ...others].flatMap((each) => each.sent.map(({ jobId }) => jobId));
    expect([sent.length, new Set(sent).size]).toEqual([600, 600]);
  });

  test('a clock of the database that is set back makes no time run twice', async () => {
    const schedule = await stage.make({ overlap: 'allow' });
    await stage.setNow('2026-05-01T12:01:00Z');
    await one.ticker.runOnce();
    await stage.setNow('2026-05-01T12:00:10Z');
    await stage.schedules.update(schedule.id, { enabled: false });
    await stage.schedules.update(schedule.id, { enabled: true });
    await stage.setNow('2026-05-01T12:01:01Z');
    await one.ticker.runOnce();
    expect(await stage.due(schedule)).toEqual(['12:01:00']);
  });
});

describe('a scheduler that dies', () => {
  test('before its commit has changed nothing: the next one makes the run', async () => {
    const schedule = await stage.make();
    await stage.setNow('2026-05-01T12:01:00Z');
    const dying = await stage.ticker();
    const run = dying.ticks.run.bind(dying.ticks);
    jest.spyOn(dying.ticks, 'run').mockImplementation((limit, decide) =>
      run(limit, async (claimed) => {
        const steps = await decide(claimed);
        await stage.server.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND state = 'idle in transaction'`,
        );
        return steps;
      }),
    );
    await expect(dying.ticker.runOnce()).rejects.toThrow();
    expect([await stage.jobs(schedule), await stage.runs(schedule), dying.sent]).toEqual([[], [], []]);
    await one.ticker.runOnce();
    expect(await stage.due(schedule)).toEqual(['12:01:00']);
  });

  test('after its commit has lost nothing: the sweep finds what was not published', async () => {
    const schedule = await stage.make();
    await stage.setNow('2026-05-01T12:01:00Z');
    const dying = await stage.ticker({ send: async () => 0 });
    await dying.ticker.runOnce();
    expect(dying.late).toEqual([]);
    await one.ticker.runOnce();
    const [made] = await stage.jobs(schedule);
    expect([await stage.due(schedule), one.sent]).toEqual([['12:01:00'], []]);
    await stage.setNow('2026-05-01T12:05:00Z');
    const begin = { createdAt: 0, id: '00000000-0000-0000-0000-000000000000' };
    const lost = await new StuckSteps(stage.database).activeJobs(
      begin,
      Date.parse('2100-01-01') * 1_000,
      20_000,
      1_000,
    );
    expect(lost).toContainEqual(expect.objectContaining({ id: made?.id, open: 0b101n }));
  });
});

describe('after an outage', () => {
  const outage = async (request: Record<string, unknown>, now: string): Promise<ScheduleView> => {
    const schedule = await stage.make({ overlap: 'allow', ...request });
    await stage.setNow(now);
    await one.ticker.runOnce();
    return schedule;
  };

  test('last: the newest run, however late', async () => {
    const schedule = await outage({ cron: '0 * * * *' }, '2026-05-03T15:59:00Z');
    expect(await stage.due(schedule)).toEqual(['15:00:00']);
    expect((await found(schedule)).missed_count).toBe(19);
    expect(one.logged.join('')).toMatch(/"missed":19,"and_more":true/);
  });

  test('none: the newest when it is at most a minute late, otherwise nothing', async () => {
    const late = await outage({ cron: '*/5 * * * *', catch_up: 'none' }, '2026-05-01T12:21:01Z');
    expect([await stage.due(late), (await found(late)).missed_count]).toEqual([[], 4]);
    expect((await found(late)).next_runs[0]).toBe('2026-05-01T12:25:00.000Z');
    await stage.setNow('2026-05-01T12:30:59Z');
    await one.ticker.runOnce();
    expect([await stage.due(late), (await found(late)).missed_count]).toEqual([['12:30:00'], 5]);
  });

  test('all: every one, the oldest first; of hundreds the newest hundred', async () => {
    const few = await outage({ catch_up: 'all' }, '2026-05-01T12:04:59Z');
    expect(await stage.due(few)).toEqual(['12:01:00', '12:02:00', '12:03:00', '12:04:00']);
    const sent = one.sent.map(({ jobId }) => jobId);
    expect(sent).toEqual((await stage.jobs(few)).map(({ id }) => id));
    await stage.clear();
    const many = await outage({ catch_up: 'all' }, '2026-05-01T15:00:00Z');
    const due = await stage.due(many);
    expect([due.length, due[0], due.at(-1)]).toEqual([100, '13:21:00', '15:00:00']);
    expect((await found(many)).missed_count).toBe(76);
  });

  test('over a change of the clock: the run in the gap comes once, the hour that comes twice counts as the cron says', async () => {
    await stage.setNow('2026-03-28T12:00:00Z');
    const zone = { timezone: 'Europe/Berlin', catch_up: 'all' };
    const night = await outage({ ...zone, cron: '30 2 * * *' }, '2026-03-30T12:00:00Z');
    expect((await stage.jobs(night)).map(({ eta }) => eta.toISOString())).toEqual([
      ...['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'],
    ]);
    await stage.setNow('2026-10-24T22:30:00Z');
    const fixed = await outage({ ...zone, cron: '30 2 * * *' }, '2026-10-25T02:30:00Z');
    await stage.setNow('2026-10-24T22:30:00Z');
    const hourly = await outage({ ...zone, cron: '0 * * * *' }, '2026-10-25T02:30:00Z');
    expect(await stage.due(fixed)).toEqual(['00:30:00']);
    expect(await stage.due(hourly)).toEqual(['23:00:00', '00:00:00', '01:00:00', '02:00:00']);
  });
});

describe('while a job of it has not ended', () => {
  const tickAt = async (minute: string): Promise<void> => {
    await stage.setNow(`2026-05-01T12:${minute}:00Z`);
    await one.ticker.runOnce();
  };

  test('skip: the run is left out, counted and shown; when it has ended, runs go on', async () => {
    const schedule = await stage.make();
    for (const minute of ['01', '02', '03']) await tickAt(minute);
    expect(await stage.due(schedule)).toEqual(['12:01:00']);
    expect(await found(schedule)).toMatchObject({ skipped_count: 2, last_skipped_at: '2026-05-01T12:03:00.000Z' });
    await stage.end(schedule);
    await tickAt('04');
    expect(await stage.due(schedule)).toEqual(['12:01:00', '12:04:00']);
    expect(await stage.runs(schedule)).toEqual(['12:01 made', '12:02 skipped', '12:03 skipped', '12:04 made']);
  });

  test('queue: the run is a job that waits for the one before it, whatever becomes of that', async () => {
    const schedule = await stage.make({ overlap: 'queue', catch_up: 'all' });
    await tickAt('01');
    await tickAt('03');
    const [first, second, third] = await stage.jobs(schedule);
    expect(first).toMatchObject({ status: 'pending', depends_on: null });
    expect(second).toMatchObject({ status: 'waiting', depends_on: [first?.id], on_dependency_failure: 'run' });
    expect(third).toMatchObject({ status: 'waiting', depends_on: [second?.id], on_dependency_failure: 'run' });
    expect(one.told.slice(1)).toEqual([second, third].map((job) => `${job?.id} job.waiting waiting`));
    expect(one.sent.map(({ steps }) => steps)).toEqual([0b101n, 0n, 0n]);
    expect(one.late).toHaveLength(1);
  });

  test('queue: a hundred wait at most', async () => {
    const schedule = await stage.make({ cron: '* * * * * *', overlap: 'queue', catch_up: 'all' });
    await stage.setNow('2026-05-01T12:02:10Z');
    await one.ticker.runOnce();
    await stage.setNow('2026-05-01T12:02:13Z');
    await one.ticker.runOnce();
    expect(await stage.jobs(schedule)).toHaveLength(100);
    expect(await found(schedule)).toMatchObject({ skipped_count: 3, last_skipped_at: '2026-05-01T12:02:13.000Z' });
  });

  test('allow: it starts all the same', async () => {
    const schedule = await stage.make({ overlap: 'allow' });
    for (const minute of ['01', '02', '03']) await tickAt(minute);
    expect((await stage.jobs(schedule)).map(({ status }) => status)).toEqual(['pending', 'pending', 'pending']);
  });
});

describe('a schedule whose job cannot be made', () => {
  test('says why, is due again at its next time, and stops no other', async () => {
    const good = await stage.make();
    const gone = await stage.make({ job: { pipeline: 'removed' } });
    const step = await stage.make({ job: { pipeline: 'nightly', steps: ['z'] } });
    const option = await stage.make({ job: { pipeline: 'nightly', options: { a: { nonsense: 1 } } } });
    const zone = await stage.make();
    await stage.server.query(`UPDATE schedules SET timezone = 'Mars/Olympus' WHERE id = $1`, [zone.id]);
    await stage.setNow('2026-05-01T12:01:00Z');
    expect(await one.ticker.runOnce()).toBeGreaterThan(0);
    expect(await stage.due(good)).toEqual(['12:01:00']);
    for (const [schedule, message] of [
      [gone, 'job.pipeline: there is no pipeline "removed"; there are: nightly'],
      [step, 'job.steps.0: the pipeline nightly has no such step'],
      [option, 'job.options.a.nonsense: is not an option that a job may set'],
    ] as const) {
      const { last_error, next_runs, last_jobs } = await found(schedule);
      expect(last_error?.message).toContain(message);
      expect(last_error).toMatchObject({ due_at: '2026-05-01T12:01:00.000Z', at: '2026-05-01T12:01:00.000Z' });
      expect([next_runs[0], last_jobs]).toEqual(['2026-05-01T12:02:00.000Z', []]);
      expect(await stage.runs(schedule)).toEqual(['12:01 failed']);
    }
    const [row] = await stage.server.query(`SELECT last_error, next_at FROM schedules WHERE id = $1`, [zone.id]);
    expect((await found(zone)).next_runs).toEqual([]);
    expect(row).toMatchObject({
      last_error: { message: 'there is no time zone "Mars/Olympus"' },
      next_at: new Date('2026-05-01T13:01:00Z'),
    });
    expect(one.logged.filter((line) => line.includes('no run: '))).toHaveLength(4);
  });

  test('one that the database refuses is put off, and keeps the others for a round alone', async () => {
    const schedules = await Promise.all(Array.from({ length: 5 }, () => stage.make()));
    const [bad] = schedules;
    await stage.server.query(`ALTER TABLE schedule_runs ADD CONSTRAINT refuses CHECK (schedule_id <> '${bad?.id}')`);
    await stage.setNow('2026-05-01T12:01:00Z');
    let rounds = 0;
    while ((await one.ticker.runOnce()) <= 10 && rounds < 20) rounds += 1;
    expect(rounds).toBeLessThan(10);
    for (const schedule of schedules.slice(1)) expect(await stage.due(schedule)).toEqual(['12:01:00']);
    expect(await found(bad as ScheduleView)).toMatchObject({
      last_jobs: [],
      last_error: { message: expect.stringContaining('could not be stored') as unknown },
    });
    await stage.server.query('ALTER TABLE schedule_runs DROP CONSTRAINT refuses');
    await stage.setNow('2026-05-01T12:02:01Z');
    await one.ticker.runOnce();
    expect(await stage.due(bad as ScheduleView)).toEqual(['12:02:00']);
  });
});

test('the record of a schedule keeps the newest thousand runs', async () => {
  const schedule = await stage.make({ overlap: 'allow' });
  await stage.server.query(
    `INSERT INTO schedule_runs (schedule_id, due_at, outcome)
     SELECT $1, timestamptz '2026-05-01T12:00Z' - n * interval '1 minute', 'made' FROM generate_series(1, 1100) n`,
    [schedule.id],
  );
  await stage.server.query('UPDATE schedules SET runs_kept = 1100 WHERE id = $1', [schedule.id]);
  await stage.setNow('2026-05-01T12:01:00Z');
  await one.ticker.runOnce();
  const [row] = await stage.server.query<Record<string, unknown>>(
    `SELECT count(*)::int AS count, max(due_at) AS newest FROM schedule_runs WHERE schedule_id = $1`,
    [schedule.id],
  );
  expect(row).toEqual({ count: 1_000, newest: new Date('2026-05-01T12:01:00Z') });
});
