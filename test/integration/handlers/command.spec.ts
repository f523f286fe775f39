import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JsonObject } from '#shared/domain/json';
import { CommandHandler } from '../../../apps/step-worker/src/handlers/command/command-handler';
import { SecretReader } from '../../../apps/step-worker/src/handlers/secrets/secret-reader';
import { figuresOf } from '../../../apps/step-worker/src/processes/own-figures';
import { ProcessGroups } from '../../../apps/step-worker/src/processes/process-groups';
import { TreeMeter } from '../../../apps/step-worker/src/processes/tree-meter';
import { AttemptStopped } from '../../../apps/step-worker/src/turn/step-execution';
import { until } from '../../support/poll';
import { isAlive } from '../../support/processes';
import { contextFor, type TestContext } from '../../support/step-context';

const TOKEN = 'tok-3f9a8b7c6d';
const ENV = {
  ...{ PATH: process.env.PATH, HOME: '/nowhere' },
  ...{ DATABASE_URL: 'postgres://me:pw@h/d', NATS_URL: 'nats://h', SLUICE_API_KEYS: 'k', API_TOKEN: TOKEN },
};

const handlerWith = (graceMs: number): CommandHandler =>
  new CommandHandler({
    secrets: new SecretReader(ENV),
    groups: new ProcessGroups(new TreeMeter(), graceMs),
    env: ENV,
    secretNames: new Set(['API_TOKEN']),
  });

const handler = handlerWith(30_000);

const context = (options: JsonObject, over: Partial<TestContext> = {}): TestContext =>
  contextFor(handler, options, over);

const run = (given: TestContext, by = handler): Promise<unknown> =>
  by.run(given as Parameters<CommandHandler['run']>[0]);

const sh = (script: string, ...args: string[]): JsonObject => ({ command: ['sh', '-c', script, 'sh', ...args] });
const node = (script: string, ...args: string[]): JsonObject => ({
  command: [process.execPath, '-e', script, ...args],
});

const failure = async (given: TestContext): Promise<{ message: string }> =>
  run(given).then(
    () => Promise.reject(new Error('it was completed')),
    (error: unknown) => error as { message: string },
  );

describe('a command', () => {
  it('is given exactly the job, the step, the attempt, the key, input and outputs; its last line is the output', async () => {
    const output = await run(context(node('process.stdin.pipe(process.stdout); console.log("first")')));
    expect(output).toEqual({
      ...{ job_id: 'job-1', step: 'fetch', attempt: 2, idempotency_key: 'job-1:fetch' },
      ...{ input: { a: 1 }, outputs: { before: { b: 2 } } },
    });
  });

  it('sees its arguments as they are, since no shell looks at them', async () => {
    const args = ['a b', '$HOME', '', '"', "'", '; exit 3', '*'];
    const script = 'console.log(JSON.stringify({ args: process.argv.slice(1) }))';
    await expect(run(context(node(script, '--', ...args)))).resolves.toEqual({ args });
  });

  it('has an environment without what is Sluice’s, with what the attempt is and what the step says', async () => {
    const env = { TOKEN: { secret: 'API_TOKEN' }, PLAIN: 'x' };
    const script =
      'const { TOKEN, ...rest } = process.env; console.log(JSON.stringify({ knows: TOKEN.length, names: Object.keys(rest).sort() }))';
    const names = (await run(context({ ...node(script), env }))) as { names: string[]; knows: number };
    expect(names.knows).toBe(TOKEN.length);
    const own = ['PATH', 'HOME', 'PLAIN', 'PWD', 'OLDPWD', 'SHLVL', '_'];
    expect(names.names.filter((name) => !own.includes(name))).toEqual([
      ...['SLUICE_ATTEMPT', 'SLUICE_IDEMPOTENCY_KEY', 'SLUICE_JOB_ID', 'SLUICE_SOURCE', 'SLUICE_STEP'],
    ]);
  });

  it('cannot tell its secrets by what it prints', async () => {
    const script = 'echo "err $TOKEN" >&2; echo "::progress 5 with $TOKEN"; echo "{\\"got\\":\\"$TOKEN\\"}"; exit "$1"';
    const env = { TOKEN: { secret: 'API_TOKEN' } };
    const good = context({ ...sh(script, '0'), env });
    await expect(run(good)).resolves.toEqual({ got: '***' });
    expect([good.lines, good.reported]).toEqual([[['info', 'err ***']], [[5, 'with ***']]]);
    const bad = await failure(context({ ...sh(script, '1'), env }));
    expect(bad.message).toBe('sh ended with exit code 1: err ***');
  });

  it('reports progress while it runs, and its standard error line by line', async () => {
    const given = context(sh('echo ::progress 40 half; echo one >&2; echo two >&2; read -r line; sleep 600'));
    const stop = new AbortController();
    const running = run({ ...given, signal: stop.signal });
    await until(() => given.reported.length === 1 && given.lines.length === 2);
    expect([given.reported, given.lines]).toEqual([
      [[40, 'half']],
      [
        ['info', 'one'],
        ['info', 'two'],
      ],
    ]);
    const reason = new AttemptStopped('drain');
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
  });

  it('that prints progress without end does not hold up its worker, and the last of it is told', async () => {
    const script =
      'yes "::progress 5 a" | head -n 3000000; yes "no" | head -n 10000000 >&2; echo ::progress 90 z; echo "{}"';
    const given = context(sh(script));
    let [turns, isOver] = [0, false];
    const turn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    turn();
    const startedAtMs = performance.now();
    await expect(run(given)).resolves.toEqual({});
    isOver = true;
    const tookMs = performance.now() - startedAtMs;
    expect(given.reported.at(-1)).toEqual([90, 'z']);
    expect(given.reported.length).toBeLessThan(tookMs / 100 + 3);
    expect(given.lines.length).toBeLessThan((tookMs / 100 + 3) * 1_000);
    expect(turns).toBeGreaterThan(100);
  }, 60_000);

  it('runs in the folder that the step names', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'sluice-cwd-')));
    await expect(run(context({ ...sh('echo "{\\"in\\":\\"$(pwd)\\"}"'), cwd: folder }))).resolves.toEqual({
      in: folder,
    });
    await rm(folder, { recursive: true });
    await expect(failure(context({ ...sh('true'), cwd: folder }))).resolves.toMatchObject({
      ...{ name: 'TransientError', code: 'command_not_started' },
      message: `sh cannot be started: this worker has no folder ${folder}`,
    });
  });

  it('need not read what it is given, even if that is much', async () => {
    const outputs = { before: 'x'.repeat(900_000) };
    await expect(run(context(sh('exec 0<&-; echo "{}"'), { outputs }))).resolves.toEqual({});
  });

  it('may print more than memory holds', async () => {
    const script =
      'head -c 300000000 /dev/zero | tr "\\0" x; echo; yes line | head -c 100000000; echo; echo "{\\"a\\":1}"';
    const before = process.memoryUsage.rss();
    await expect(run(context(sh(script)))).resolves.toEqual({ a: 1 });
    expect(process.memoryUsage.rss() - before).toBeLessThan(150 * 1_048_576);
  }, 60_000);

  it.each([
    ['exit 1', 'TransientError', 'exit_1', 'sh ended with exit code 1'],
    ['echo why >&2; exit 7', 'PermanentError', 'exit_7', 'sh ended with exit code 7: why'],
    ['echo why >&2; kill -SEGV $$', 'TransientError', 'sigsegv', 'sh ended with signal SIGSEGV: why'],
    ['no-such-program', 'TransientError', 'exit_127', 'sh ended with exit code 127: '],
  ])('fails as its exit says: %s', async (script, name, code, message) => {
    const error = await failure(context({ ...sh(script), permanent_exit_codes: [7, 8] }));
    expect(error).toMatchObject({ name, code });
    expect(error.message).toContain(message);
  });

  it('that is not there is told from one that fails', async () => {
    const error = await failure(context({ command: ['no-such-program'] }));
    expect(error).toMatchObject({ name: 'TransientError', code: 'command_not_started' });
    expect(error.message).toContain('no-such-program cannot be started: there is no such program on the PATH');
  });
});

describe('a command that is told to stop', () => {
  /** A tree of processes whose pids it prints to its standard error. */
  const tree = (trap: string): JsonObject =>
    sh(`${trap} sh -c '${trap} sleep 600 & echo "$!" >&2; echo "$$" >&2; wait; sleep 600' &
        echo "$$" >&2; wait; while :; do sleep 600; done`);

  async function started(by: CommandHandler, options: JsonObject, stop: AbortController) {
    const given = context(options, { signal: stop.signal });
    const running = run(given, by);
    running.catch(() => undefined);
    const pids = await until(() => given.lines.length === 3 && given.lines.map(([, text]) => Number(text)));
    expect(await Promise.all(pids.map(isAlive))).toEqual([true, true, true]);
    return { given, running, pids };
  }

  it.each([
    ['that heeds SIGTERM', '', 'timeout', 30_000, 2_000],
    ['that ignores SIGTERM, after the grace of the worker', 'trap "" TERM;', 'timeout', 700, 3_000],
    ['that ignores SIGTERM, after a second when the worker drains', 'trap "" TERM;', 'drain', 30_000, 3_000],
  ] as const)('is gone with all its tree: one %s', async (_, trap, why, graceMs, limitMs) => {
    const stop = new AbortController();
    const { running, pids, given } = await started(handlerWith(graceMs), tree(trap), stop);
    const reason = new AttemptStopped(why);
    const startedAtMs = performance.now();
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    // The promise settles no sooner than the last of them is gone, so that a retry cannot overlap.
    expect(await Promise.all(pids.map(isAlive))).toEqual([false, false, false]);
    const tookMs = performance.now() - startedAtMs;
    expect(tookMs).toBeLessThan(limitMs);
    if (trap !== '') expect(tookMs).toBeGreaterThan(Math.min(graceMs, 1_000) - 50);
    expect(figuresOf(given)?.memoryMb).toBeGreaterThan(0);
  });

  it('has not completed, though many programs then exit with 0', async () => {
    const stop = new AbortController();
    const given = context(sh(`trap 'echo "{}"; exit 0' TERM; echo ::progress 1; sleep 600 & wait`), {
      signal: stop.signal,
    });
    const running = run(given);
    running.catch(() => undefined);
    await until(() => given.reported.length === 1);
    const reason = new AttemptStopped('timeout');
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
  });

  it('before it began is not started', async () => {
    const reason = new AttemptStopped('drain');
    const given = context(sh('echo ran >&2'), { signal: AbortSignal.abort(reason) });
    await expect(run(given)).rejects.toBe(reason);
    expect(given.lines).toEqual([]);
  });
});

/** A script that uses so much CPU time, nearly all of it its own and not the system's. */
const spin = (ms: number): string => `
  const usedMs = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
  while (usedMs() < ${ms}) for (let i = 0; i < 1e6; i += 1) ;`;

describe('the figures of a command', () => {
  /** Burns CPU time in a child of its own, holds memory in another, and says what the system counted. */
  const BURN = `
    ${spin(1_200)}
    const { spawnSync } = require('node:child_process');
    const hold = Buffer.alloc(200 * 1048576, 1);
    const { stdout } = spawnSync(process.execPath, ['-e', ${JSON.stringify(`${spin(800)} console.log(usedMs())`)}]);
    const status = require('node:fs').readFileSync('/proc/self/status', 'utf8');
    const peakMb = /VmHWM:\\s+(\\d+)/.exec(status)[1] / 1024;
    console.log(JSON.stringify({ cpuMs: usedMs() + Number(stdout), peakMb, held: hold.length }));`;

  it('are what its tree used, within 15 %', async () => {
    const given = context(node(BURN));
    const { cpuMs, peakMb } = (await run(given)) as { cpuMs: number; peakMb: number };
    const figures = figuresOf(given);
    expect(cpuMs).toBeGreaterThan(2_000);
    expect(figures?.cpuMs).toBeGreaterThan(cpuMs * 0.85);
    expect(figures?.cpuMs).toBeLessThan(cpuMs * 1.15);
    expect(peakMb).toBeGreaterThan(200);
    expect(figures?.memoryMb).toBeGreaterThan(peakMb * 0.85);
    // The child that burns holds some of its own beside it.
    expect(figures?.memoryMb).toBeLessThan((peakMb + 60) * 1.15);
  }, 60_000);

  it('are, where there is no /proc, what ps says while it runs', async () => {
    const groups = new ProcessGroups(new TreeMeter('darwin'), 30_000);
    const elsewhere = new CommandHandler({ secrets: new SecretReader(ENV), groups, env: ENV, secretNames: new Set() });
    const script = `const hold = Buffer.alloc(200 * 1048576, 1); ${spin(2_000)}; setTimeout(() => hold, 1500)`;
    const given = context(node(script));
    await run(given, elsewhere);
    expect(figuresOf(given)?.memoryMb).toBeGreaterThan(200);
    // ps tells whole seconds.
    expect(figuresOf(given)?.cpuMs).toBeGreaterThanOrEqual(1_000);
    expect(figuresOf(given)?.cpuMs).toBeLessThan(4_000);
  }, 60_000);

  it('count programs that are over before anybody looks, each its own', async () => {
    const short = context(node(spin(100)));
    const idle = context(sh('exit 0'));
    await run(short);
    await run(idle);
    expect(figuresOf(short)?.cpuMs).toBeGreaterThanOrEqual(90);
    expect(figuresOf(idle)?.cpuMs).toBeLessThan(60);
    expect(figuresOf(idle)?.memoryMb).toBeGreaterThan(0);
  });
});
