import { findFreePort } from '#shared/runtime/embedded/free-port';
import { startTestNats } from '../../support/test-nats';
import { startTestPostgres } from '../../support/test-postgres';
import { TestService } from '../../support/test-service';

describe('startTestPostgres', () => {
  it('gives a server that keeps its data and its port over a kill and an immediate stop', async () => {
    const postgres = await startTestPostgres();
    await postgres.query('CREATE TABLE kept AS SELECT 1 AS n');
    await postgres.kill();
    await expect(postgres.query('SELECT 1')).rejects.toThrow('ECONNREFUSED');
    await postgres.start();
    await postgres.query('INSERT INTO kept VALUES (2)');
    await postgres.stopImmediately();
    await postgres.start();
    expect(await postgres.query('SELECT n FROM kept ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    await postgres.drop();
  });
});

describe('TestService', () => {
  it('reports what a service said that does not become ready', async () => {
    const nats = await startTestNats();
    const env = { ...process.env, DATABASE_URL: 'nonsense', NATS_URL: nats.url };
    const service = new TestService({ kind: 'metrics', name: 'metrics', port: await findFreePort(), env });
    await expect(service.start()).rejects.toThrow(/metrics: [^]*exit code 2[^]*DATABASE_URL/);
    await nats.stop();
  });
});
