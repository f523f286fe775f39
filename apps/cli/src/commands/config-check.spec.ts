import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from '../run';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-check-'));
writeFileSync(join(folder, 'pipeline_config.yml'), 'pipelines: { p: { steps: [{ name: noop }] } }\n');
writeFileSync(join(folder, 'bad.yml'), 'pipelines:\n  p:\n    steps:\n      - name: nop\n        timeout: soon\n');
afterAll(() => rmSync(folder, { recursive: true }));

async function check(line: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const io = { stdout, stderr, env, cwd: folder, now: Date.now, signal: new AbortController().signal };
  const code = await run(['config', 'check', ...line], io);
  const textOf = (stream: PassThrough): string => String(stream.read() ?? '');
  return { code, out: textOf(stdout), err: textOf(stderr) };
}

test('a file that is right: its pipelines, and 0', async () => {
  const { code, out, err } = await check([]);
  expect([code, err]).toEqual([0, 'pipeline_config.yml is right: 1 pipeline.\n']);
  expect(out).toMatch(/^p +optional +noop/m);
});

test('a file that is not: each fault on a line, and 2', async () => {
  const { code, out, err } = await check(['bad.yml']);
  expect([code, out]).toEqual([2, '']);
  expect(err.trimEnd().split('\n')).toEqual([
    expect.stringMatching(
      /^bad\.yml:4: pipelines\.p\.steps\[0\]\.name: expected .* found "nop" \(did you mean "noop"\?\)$/,
    ),
    expect.stringMatching(/^bad\.yml:5: pipelines\.p\.steps\[0\]\.timeout: expected a duration .* found "soon"$/),
  ]);
});

test('faults for machines', async () => {
  const { code, out } = await check(['bad.yml', '-o', 'json']);
  expect(code).toBe(2);
  expect(JSON.parse(out)).toMatchObject({
    file: 'bad.yml',
    ok: false,
    faults: [
      { file: 'bad.yml', line: 4 },
      { file: 'bad.yml', line: 5, key: 'pipelines.p.steps[0].timeout', found: '"soon"' },
    ],
  });
  const lines = (await check(['bad.yml', '-o', 'jsonl'])).out.trimEnd().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { line: number }).line)).toEqual([4, 5]);
  expect(JSON.parse((await check(['-o', 'json'])).out)).toEqual({
    file: 'pipeline_config.yml',
    ok: true,
    faults: [],
    pipelines: ['p'],
  });
});

test('SLUICE_CONFIG names the file; a missing one is a fault', async () => {
  expect((await check([], { SLUICE_CONFIG: 'bad.yml' })).code).toBe(2);
  const { code, err } = await check(['none.yml']);
  expect(code).toBe(2);
  expect(err).toContain('none.yml:1: expected a pipeline file');
});
