import { resolve } from 'node:path';
import { parseLauncherOptions } from './launcher-options';

const SERVERS = { DATABASE_URL: 'postgres://u:p@h/d', NATS_URL: 'nats://h:4222' };

describe('parseLauncherOptions', () => {
  it('has the defaults that the contract names', () => {
    expect(parseLauncherOptions([], {})).toEqual({
      port: 3000,
      dataFolder: resolve('.sluice/data'),
      configFile: undefined,
      workers: 1,
      concurrency: undefined,
      embedded: 'missing',
    });
  });

  it('reads every option', () => {
    const args = '--port 4000 --data-dir d --config c.yml --workers 3 --concurrency 20 --embedded'.split(' ');
    expect(parseLauncherOptions(args, { PORT: '5000' })).toEqual({
      port: 4000,
      dataFolder: resolve('d'),
      configFile: resolve('c.yml'),
      workers: 3,
      concurrency: 20,
      embedded: 'all',
    });
  });

  it('takes the port from the environment when no option names one', () => {
    expect(parseLauncherOptions([], { PORT: '5000' }).port).toBe(5000);
  });

  it('starts no servers where that is wanted and they are named', () => {
    expect(parseLauncherOptions(['--no-embedded'], SERVERS).embedded).toBe('none');
  });

  it.each([
    ['a port that is none', ['--port', '70000'], 'Expected a whole number from 0 to 65535'],
    ['no workers', ['--workers', '0'], 'Expected a whole number from 1 to 64'],
    ['a word for a number', ['--concurrency', 'many'], 'Expected a whole number from 1 to 1000'],
    ['an unknown option', ['--prot', '1'], 'unknown option'],
    ['an argument', ['now'], 'too many arguments'],
    ['no servers and none named', ['--no-embedded'], 'needs DATABASE_URL and NATS_URL'],
  ])('ends with 2 and says why: %s', (_, args, message) => {
    const exit = jest.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    const written = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    expect(() => parseLauncherOptions(args, {})).toThrow('exit 2');
    expect(written.mock.calls.join('')).toContain(message);
    exit.mockRestore();
    written.mockRestore();
  });
});
