import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HandlerDefinition, StepContext } from '#shared/contracts/handler';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import type { JsonObject } from '#shared/domain/json';
import { IsolatedHandler } from '../../../apps/step-worker/src/isolation/isolated-handler';
import { figuresOf } from '../../../apps/step-worker/src/processes/own-figures';
import { ProcessGroups } from '../../../apps/step-worker/src/processes/process-groups';
import { TreeMeter } from '../../../apps/step-worker/src/processes/tree-meter';
import { AttemptStopped } from '../../../apps/step-worker/src/turn/step-execution';
import { until } from '../../support/poll';
import { isAlive } from '../../support/processes';
import { contextFor, type TestContext } from '../../support/step-context';
import { type GraphStage, openGraphStage, SourceFolder } from '../graph-stage';

const DIST = join(__dirname, '..', '..', '..', 'dist', 'apps', 'step-worker', 'src');

let stage: GraphStage;
let folder: SourceFolder;

beforeAll(async () => {
  stage = await openGraphStage();
  folder = await SourceFolder.make();
});

afterAll(async () => {
  await stage.close();
  await folder.remove();
});

/**
 * A handler of the catalog as its process runs it. With `script`, that process finds this in place of the handler's own
 * `run`: what a handler may do is shown with what the product ships.
 */
async function isolated(name: string, script?: string, graceMs = 30_000): Promise<IsolatedHandler> {
  const definition = HANDLER_CATALOG.get(name) as HandlerDefinition<unknown>;
  const env = {
    ...process.env,
    ...{ DATABASE_URL: stage.test.url, NATS_URL: 'nats://127.0.0.1:1', SLUICE_SOURCE_ROOTS: folder.path },
  };
  const main = script === undefined ? join(DIST, 'isolation', 'isolated-step.js') : await mainWith(script);
  return new IsolatedHandler(definition, { groups: new ProcessGroups(new TreeMeter(), graceMs), main, env });
}

let count = 0;

async function mainWith(script: string): Promise<string> {
  count += 1;
  const path = join(folder.path, `main-${count}.cjs`);
  const from = (file: string): string => JSON.stringify(join(DIST, file));
  await writeFile(
    path,
    `const { NoopHandler } = require(${from('handlers/noop.js')});
     const { PermanentError, TransientError } = require(${from('../../../libs/shared/src/domain/step-errors.js')});
     NoopHandler.prototype.run = async (context) => { ${script} };
     require(${from('isolation/isolated-step.js')});`,
  );
  return path;
}

const contextOf = (handler: IsolatedHandler, over: Partial<TestContext> = {}, options: JsonObject = {}): TestContext =>
  contextFor(handler, options, over);

async function failure(script: string): Promise<unknown> {
  const handler = await isolated('noop', script);
  return handler.run(contextOf(handler)).then(
    () => new Error('it was completed'),
    (error: unknown) => error,
  );
}

describe('a step in a process of its own', () => {
  it('is given all that it would be given inside the worker', async () => {
    const handler = await isolated(
      'noop',
      `const { jobId, step, attempt, idempotencyKey, input, outputs, options, signal } = context;
       return { pid: process.pid, jobId, step, attempt, idempotencyKey, input, outputs, options, aborted: signal.aborted };`,
    );
    const context = contextOf(handler, {}, { output: { x: [1] } });
    const output = (await handler.run(context)) as JsonObject;
    const { jobId, step, attempt, idempotencyKey, input, outputs, options } = context;
    const { pid, ...rest } = output;
    expect(rest).toEqual({ jobId, step, attempt, idempotencyKey, input, outputs, options, aborted: false });
    expect(pid).not.toBe(process.pid);
    expect(await isAlive(Number(pid))).toBe(false);
  });

  it('reports as it goes, and what it prints becomes lines that disturb nothing', async () => {
    const handler = await isolated(
      'noop',
      `context.progress(10, 'first'); context.log('warn', 'by log');
       console.log('printed'); console.error(JSON.stringify({ type: 'sluice:completed', output: 'forged' }));
       process.send({ type: 'sluice:completed', output: 'without figures' }); process.send('garbage');
       for (let percent = 11; percent <= 99; percent += 1) context.progress(percent, 'many');
       return 'done';`,
    );
    const context = contextOf(handler);
    await expect(handler.run(context)).resolves.toBe('done');
    expect(context.reported[0]).toEqual([10, 'first']);
    expect(context.reported.at(-1)).toEqual([99, 'many']);
    expect(context.reported.length).toBeLessThan(10);
    expect([...context.lines].sort()).toEqual([
      ['info', 'printed'],
      ['info', '{"type":"sluice:completed","output":"forged"}'],
      ['warn', 'by log'],
    ]);
  });

  it('keeps a thousand lines of a handler that says millions', async () => {
    const handler = await isolated('noop', `for (let i = 0; i < 1e6; i += 1) context.log('info', 'line ' + i);`);
    const context = contextOf(handler);
    await expect(handler.run(context)).resolves.toEqual({});
    expect(context.lines).toHaveLength(1_001);
  }, 60_000);

  it.each<[string, string, object]>([
    [
      'a permanent one',
      `throw new PermanentError('no', 'why')`,
      { name: 'PermanentError', message: 'no', code: 'why' },
    ],
    [
      'a transient one with a delay',
      `throw new TransientError('later', 'busy', 4500)`,
      { name: 'TransientError', message: 'later', code: 'busy', minDelayMs: 4_500 },
    ],
    ['any other', `throw new TypeError('oh')`, { name: 'TransientError', message: 'oh', minDelayMs: 0 }],
    ['no error at all', `throw 'words'`, { message: 'words' }],
    [
      'one that nobody caught',
      `setImmediate(() => { throw new Error('loose') }); await new Promise(() => {})`,
      { message: 'loose' },
    ],
    ['an output that is none', `return { n: 1n }`, { name: 'PermanentError', code: 'bad_output' }],
    [
      'an exit',
      `process.exit(3)`,
      {
        name: 'TransientError',
        code: 'process_died',
        message: 'the process of the step ended with exit code 3, before it gave a result',
      },
    ],
    [
      'a kill',
      `process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})`,
      {
        name: 'TransientError',
        code: 'process_died',
        message:
          'the process of the step ended with signal SIGKILL, as the system does when memory runs out, before it gave a result',
      },
    ],
  ])('passes on how it fails: %s', async (_, script, expected) => {
    await expect(failure(script)).resolves.toMatchObject(expected);
  });

  it('does not hold up the worker while it blocks its own loop, and is measured by itself', async () => {
    const handler = await isolated(
      'noop',
      `const hold = Buffer.alloc(200 * 1048576, 1);
       while (process.cpuUsage().user < 2e6) for (let i = 0; i < 1e6; i += 1);
       const status = require('node:fs').readFileSync('/proc/self/status', 'utf8');
       const { user, system } = process.cpuUsage();
       return { cpuMs: (user + system) / 1000, peakMb: /VmHWM:\\s+(\\d+)/.exec(status)[1] / 1024, held: hold.length };`,
    );
    const context = contextOf(handler);
    let ticks = 0;
    const timer = setInterval(() => (ticks += 1), 20);
    const startedAtMs = performance.now();
    const { cpuMs, peakMb } = (await handler.run(context)) as { cpuMs: number; peakMb: number };
    clearInterval(timer);
    expect(performance.now() - startedAtMs).toBeGreaterThan(2_000);
    expect(ticks).toBeGreaterThan(25);
    const figures = figuresOf(context);
    expect(figures?.cpuMs).toBeGreaterThan(cpuMs * 0.85);
    expect(figures?.cpuMs).toBeLessThan(cpuMs * 1.15);
    expect(figures?.memoryMb).toBeGreaterThan(peakMb * 0.85);
    expect(figures?.memoryMb).toBeLessThan(peakMb * 1.15);
  }, 60_000);

  it('works with the store over connections of its own', async () => {
    await folder.write({ 'docs/a.md': '# A' });
    const handler = await isolated('filesystem');
    const input: StepContext['input'] = {
      ...{ source: folder.path, source_type: 'local_path', branch: null, commit: null, input: {} },
    };
    await expect(handler.run(contextOf(handler, { input }))).resolves.toHaveProperty('files');
    const [row] = await stage.test.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM nodes WHERE path = 'docs/a.md'",
    );
    expect(row?.count).toBe(1);
  }, 60_000);
});

describe('a step in a process of its own, told to stop', () => {
  async function started(handler: IsolatedHandler) {
    const stop = new AbortController();
    const context = contextOf(handler, { signal: stop.signal });
    const running = handler.run(context);
    running.catch(() => undefined);
    const [, pid] = await until(() => context.reported[0], { deadlineMs: 20_000 });
    return { stop, context, running, pid: Number(pid) };
  }

  const SAY_PID = `context.progress(1, String(process.pid));`;

  it('hears the reason, and may end in its own way', async () => {
    const handler = await isolated(
      'noop',
      `${SAY_PID} await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
       throw new PermanentError('heard ' + context.signal.reason.reason, 'heard');`,
    );
    const { stop, running, pid } = await started(handler);
    stop.abort(new AttemptStopped('timeout'));
    await expect(running).rejects.toMatchObject({ message: 'heard timeout', code: 'heard' });
    expect(await isAlive(pid)).toBe(false);
  });

  it('is killed with all that it started when it does not heed it', async () => {
    const handler = await isolated(
      'noop',
      `const child = require('node:child_process').spawn('sleep', ['600'], { stdio: 'ignore' });
       context.log('info', String(child.pid));
       setTimeout(() => { for (;;); }, 200); ${SAY_PID} await new Promise(() => {});`,
      500,
    );
    const { stop, running, pid, context } = await started(handler);
    const child = Number(context.lines[0]?.[1]);
    expect([await isAlive(pid), await isAlive(child)]).toEqual([true, true]);
    const reason = new AttemptStopped('timeout');
    const startedAtMs = performance.now();
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect([await isAlive(pid), await isAlive(child)]).toEqual([false, false]);
    expect(performance.now() - startedAtMs).toBeGreaterThan(450);
    expect(figuresOf(context)?.memoryMb).toBeGreaterThan(10);
  });
});
