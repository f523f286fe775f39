import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { testVariable } from '../support/test-environment';

const PROJECT = join(__dirname, '..', '..');

jest.setTimeout(120_000);

describe('npm run demo', () => {
  let temporary: string;
  beforeEach(async () => {
    temporary = await mkdtemp(join(tmpdir(), 'sluice-demo-test-'));
  });
  afterEach(() => rm(temporary, { recursive: true, force: true }));

  it('ingests this repository, shows what it found, and leaves nothing behind', async () => {
    const PATH = [dirname(testVariable('natsServer')), process.env.PATH].join(delimiter);
    const { stdout } = await promisify(execFile)(process.execPath, [join(PROJECT, 'scripts', 'demo.mjs')], {
      cwd: PROJECT,
      env: { ...process.env, PATH, TMPDIR: temporary, NO_COLOR: '1' },
    });
    for (const phase of [
      'build',
      'servers',
      'migrate',
      'services',
      'ingest',
      'findings',
      'query',
      'resources',
      'stop',
    ]) {
      expect(stdout).toMatch(new RegExp(`✔ ${phase} +\\d+\\.\\d s`));
    }
    const count = (name: string): number => Number(new RegExp(`^ +${name} +(\\d+)$`, 'm').exec(stdout)?.[1]);
    expect(count('files')).toBe(await trackedFiles());
    expect(count('nodes')).toBeGreaterThan(count('files') + count('directories') + count('headings'));
    expect(count('edges')).toBeGreaterThanOrEqual(count('nodes') - 1);
    expect(stdout).toMatch(/step filesystem +\d+\.\d\d s {2}1 attempt\n/);
    expect(stdout).toMatch(/search for .+:\n +\S/);
    expect(stdout).toMatch(/step filesystem +1 attempt, \d+\.\d\d s, CPU \d+ %, [1-9]\d* MB\n/);
    expect(stdout).toMatch(/step documentation +1 attempt, \d+\.\d\d s, CPU \d+ %, [1-9]\d* MB\n/);
    expect(await readdir(temporary)).toEqual([]);
  });

  /** What git says there is: tracked files, and untracked ones that it does not ignore. */
  async function trackedFiles(): Promise<number> {
    const args = ['ls-files', '--cached', '--others', '--exclude-standard', '-z'];
    const { stdout } = await promisify(execFile)('git', args, { cwd: PROJECT });
    return new Set(stdout.split('\0').filter((path) => path !== '' && existsSync(join(PROJECT, path)))).size;
  }
});
