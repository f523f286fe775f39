import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { type EmbeddedPostgres, startPostgres } from '#shared/runtime/embedded/postgres';
import { removePlacement } from '#shared/runtime/embedded/postgres-placement';
import { untilGone } from '../../support/processes';

describe('an embedded Postgres', () => {
  let outer: string;
  let folder: string;
  let server: EmbeddedPostgres | undefined;

  beforeEach(async () => {
    outer = await mkdtemp(join(tmpdir(), 'sluice-pg-'));
    await chmod(outer, 0o700);
    folder = join(outer, 'data dir', 'postgres');
    await mkdir(folder, { recursive: true });
  });
  afterEach(async () => {
    await server?.stop();
    await removePlacement(folder);
    await rm(outer, { recursive: true, force: true });
  });

  async function start(forceNobody = false): Promise<EmbeddedPostgres> {
    server = await startPostgres({ folder, forceNobody, throwaway: true, previousGoneWithinMs: 5_000 });
    return server;
  }

  async function query<Row extends QueryResultRow>(sql: string, url = server?.url): Promise<Row[]> {
    const client = new Client(url);
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  it('has a UTF-8 database behind a password that only its owner can read', async () => {
    await start();
    expect(await query("SELECT current_setting('server_encoding') AS e, lower('ÄÖ') AS l")).toEqual([
      { e: 'UTF8', l: 'äö' },
    ]);
    const guessed = new URL(server?.url as string);
    guessed.password = 'guessed';
    await expect(query('SELECT 1', guessed.toString())).rejects.toThrow('password authentication failed');
    const { mode } = await stat(join(folder, 'password'));
    expect(mode & 0o777).toBe(0o600);
  });

  it('recovers what was committed after a kill, and goes on after a good stop', async () => {
    await start();
    await query('CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n');
    server?.kill('SIGKILL');
    expect(await server?.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await start();
    expect(await query('SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 1000 }]);
    expect(await server?.stop()).toEqual({ code: 0, signal: null });
    await start();
    expect(await query('SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 1000 }]);
  });

  it('starts though a lock file names a living process that is no Postgres', async () => {
    await start();
    await server?.stop();
    await writeFile(join(folder, 'data', 'postmaster.pid'), `${process.pid}\n`);
    await start();
    expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says which process uses the data', async () => {
    const { pid } = await start();
    const second = startPostgres({ folder, throwaway: true, previousGoneWithinMs: 0 });
    await expect(second).rejects.toThrow(`in use by the Postgres server with pid ${pid}`);
  });

  it('runs as nobody where root may not use a user namespace, and stays there', async () => {
    // Only root has to choose: anybody else runs it directly, whatever was asked for.
    const isRoot = process.getuid?.() === 0;
    await start(true);
    await query('CREATE TABLE kept AS SELECT 7 AS n');
    await server?.stop();
    await start();
    expect(await query('SELECT n FROM kept')).toEqual([{ n: 7 }]);
    const placedAt = await readFile(join(folder, 'placed-at'), 'utf8').catch(() => undefined);
    expect(placedAt !== undefined).toBe(isRoot);
    expect((await stat(join(placedAt ?? folder, 'data'))).uid).not.toBe(0);
    if (placedAt === undefined) return;
    await server?.stop();
    await rm(placedAt, { recursive: true });
    await expect(start()).rejects.toThrow(`was kept in ${placedAt}, which is gone`);
  });

  it('leaves no process behind', async () => {
    const { pid } = await start();
    const backends = await query<{ pid: number }>('SELECT pid FROM pg_stat_activity');
    await server?.stop();
    await untilGone([pid, ...backends.map((backend) => backend.pid)]);
  });

  it('begins anew after a start that was killed half-way', async () => {
    await mkdir(join(folder, 'data.new-1', 'base'), { recursive: true });
    await start();
    await expect(stat(join(folder, 'data.new-1'))).rejects.toThrow('ENOENT');
    expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('an embedded Postgres whose data was made by another version', () => {
  it('is refused with both versions', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-pg-'));
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'PG_VERSION'), '12\n');
    await expect(startPostgres({ folder })).rejects.toThrow(/made by Postgres 12, but the installed programs are \d+/);
    await rm(folder, { recursive: true });
  });
});
