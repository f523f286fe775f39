import { isPassingDatabaseError } from '#shared/store/database-error';
import { LaneClient } from '#shared/store/lane-client';
import { until } from '../support/poll';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const SETTINGS = ['plan_cache_mode', 'enable_seqscan', 'enable_hashjoin', 'enable_mergejoin', 'jit'];
const PLAIN = { plan_cache_mode: 'auto', enable_seqscan: 'on', enable_hashjoin: 'on', enable_mergejoin: 'on' };
const ASK = `SELECT ${SETTINGS.map((name) => `current_setting('${name}') AS ${name}`).join(', ')}, pg_backend_pid() AS pid`;

type Settings = Record<string, string> & { pid: number };

const ask = (lane: LaneClient): Promise<Settings> =>
  lane.run(async (client) => (await client.query<Settings>(ASK)).rows[0] as Settings);

describe('LaneClient', () => {
  it('has one connection, with its settings, for all that it runs', async () => {
    const lane = new LaneClient(await stage.connect());
    const [first, second] = [await ask(lane), await ask(lane)];
    expect(first).toMatchObject({
      ...{
        plan_cache_mode: 'force_generic_plan',
        enable_seqscan: 'off',
        enable_hashjoin: 'off',
        enable_mergejoin: 'off',
      },
      jit: 'off',
    });
    expect(second.pid).toBe(first.pid);
    await lane.drop();
  });

  it('leaves no connection with its settings to others', async () => {
    const database = await stage.connect(1);
    const lane = new LaneClient(database);
    const { pid } = await ask(lane);
    await lane.drop();
    const [others] = await database.query<Settings[]>(ASK);
    expect(others).toMatchObject(PLAIN);
    expect(others?.pid).not.toBe(pid);
  });

  it('takes another connection after an error, which it passes on; nothing of a transaction is left', async () => {
    const database = await stage.connect(1);
    const lane = new LaneClient(database);
    await stage.server.query('CREATE TABLE IF NOT EXISTS marks (n int)');
    const failed = lane.run(async (client) => {
      await client.query('BEGIN');
      await client.query('INSERT INTO marks VALUES (1)');
      await client.query('SELECT 1 / 0');
    });
    await expect(failed).rejects.toMatchObject({ code: '22012' });
    const { enable_seqscan } = await ask(lane);
    expect(enable_seqscan).toBe('off');
    expect(await stage.server.query('SELECT * FROM marks')).toEqual([]);
    await lane.drop();
  });

  it('survives the end of its connection while nothing runs: one error that will pass, then another connection', async () => {
    const lane = new LaneClient(await stage.connect());
    const { pid } = await ask(lane);
    await stage.server.query('SELECT pg_terminate_backend($1)', [pid]);
    const before = until(async () => {
      const [row] = await stage.server.query<{ n: number }>(
        'SELECT count(*)::int AS n FROM pg_stat_activity WHERE pid = $1',
        [pid],
      );
      return row?.n === 0;
    });
    await before;
    const error: unknown = await ask(lane).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    if (error !== null) expect(isPassingDatabaseError(error)).toBe(true);
    expect((await ask(lane)).pid).not.toBe(pid);
    await lane.drop();
  });

  it('waits for its turn at a pool that is in use', async () => {
    const database = await stage.connect(1);
    const lane = new LaneClient(database);
    const held = database.createQueryRunner();
    await held.connect();
    const asked = ask(lane);
    await held.release();
    expect((await asked).enable_seqscan).toBe('off');
    await lane.drop();
  });

  it('gives up nothing when it has nothing', async () => {
    const lane = new LaneClient(await stage.connect());
    await lane.drop();
    await lane.drop();
    expect((await ask(lane)).jit).toBe('off');
    await lane.drop();
  });
});
