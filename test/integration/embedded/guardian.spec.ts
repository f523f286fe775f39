import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { endProcess, spawnGuarded, withinMs } from '#shared/runtime/embedded/guardian';
import { LineTail, readLines } from '#shared/runtime/embedded/line-tail';
import { until } from '../../support/poll';
import { isAlive, untilGone } from '../../support/processes';

const GUARDIAN = join(__dirname, '..', '..', '..', 'dist/libs/shared/src/runtime/embedded/guardian.js');
const ORPHAN = { orphanSignal: 'SIGINT', orphanGraceMs: 1_000 } as const;

/** Starts a process that guards `script`, and gives the pids that the script prints. */
async function guardingParent(script: string, pidCount: number): Promise<{ kill(): void; pids: number[] }> {
  const program = `
    require(${JSON.stringify(GUARDIAN)}).spawnGuarded({
      argv: ['/bin/sh', '-c', ${JSON.stringify(script)}], orphanSignal: 'SIGINT', orphanGraceMs: 300,
    }).then((guarded) => guarded.stdout.pipe(process.stdout));`;
  const parent = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  parent.stdout.on('data', (chunk) => (output += chunk));
  const pids = await until(() => {
    const found = output.split(/\s+/).filter(Boolean).map(Number);
    return found.length >= pidCount && found;
  });
  return { kill: () => void parent.kill('SIGKILL'), pids };
}

describe('a guarded process', () => {
  it('ends with its parent, kill -9 or not, and so do its own children', async () => {
    const parent = await guardingParent('sleep 600 & echo $! $$; exec sleep 601', 2);
    expect(await Promise.all(parent.pids.map(isAlive))).toEqual([true, true]);
    parent.kill();
    await untilGone(parent.pids);
  });

  it('is killed with its group when it does not heed the signal', async () => {
    const parent = await guardingParent('trap "" INT TERM; sleep 600 & echo $! $$; while :; do sleep 601; done', 2);
    parent.kill();
    await untilGone(parent.pids);
  });

  it('has the exit code, the signal and the output of the program itself', async () => {
    const three = await spawnGuarded({ argv: ['/bin/sh', '-c', 'echo "$@"; exit 3', 'sh', 'a b', '$c'], ...ORPHAN });
    const tail = new LineTail();
    readLines(three.stdout, (line) => tail.add(line));
    expect(await three.exited).toEqual({ code: 3, signal: null });
    expect(tail.toString()).toBe('  a b $c');
    const killed = await spawnGuarded({ argv: ['sleep', '600'], ...ORPHAN });
    killed.kill('SIGKILL');
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('takes what it started with it when it ends by itself', async () => {
    const guarded = await spawnGuarded({ argv: ['/bin/sh', '-c', 'sleep 600 & echo $!'], ...ORPHAN });
    let output = '';
    guarded.stdout.on('data', (chunk) => (output += chunk));
    await guarded.exited;
    await untilGone([Number(output)]);
  });

  it('is given an input where one is wanted, and need not read it', async () => {
    const cat = await spawnGuarded({ argv: ['cat'], hasInput: true, ...ORPHAN });
    let output = '';
    cat.stdout.on('data', (chunk) => (output += chunk));
    cat.stdin?.end('words');
    await cat.exited;
    expect(output).toBe('words');
    const deaf = await spawnGuarded({ argv: ['true'], hasInput: true, ...ORPHAN });
    deaf.stdin?.end('x'.repeat(1_000_000));
    expect(await deaf.exited).toEqual({ code: 0, signal: null });
  });

  it('can be signalled with all of its group; the guard stays on guard until it is killed', async () => {
    const script = 'trap "" TERM; sh -c "echo \\$\\$; exec sleep 600" & echo $$; wait; sleep 600';
    const guarded = await spawnGuarded({ argv: ['/bin/sh', '-c', script], ...ORPHAN });
    let output = '';
    guarded.stdout.on('data', (chunk) => (output += chunk));
    const pids = await until(() => output.split('\n').length === 3 && output.trim().split('\n').map(Number));
    expect(guarded.killGroup('SIGTERM')).toBe(true);
    expect(await withinMs(guarded.exited, 100)).toBeUndefined();
    expect(guarded.killGroup('SIGKILL')).toBe(true);
    expect(await guarded.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await untilGone(pids);
    expect(guarded.killGroup('SIGKILL')).toBe(false);
  });

  it('that is Node can be spoken with, until the last word', async () => {
    const script = `process.on('message', (said) => {
      for (let i = 0; i < 999; i += 1) process.send({ i, said });
      process.send({ i: 999, said }, () => process.exit(0));
    })`;
    const heard: unknown[] = [];
    const onMessage = (message: unknown): void => void heard.push(message);
    const guarded = await spawnGuarded({ argv: [process.execPath, '-e', script], onMessage, ...ORPHAN });
    guarded.send({ at: new Date(7) });
    expect(await guarded.exited).toEqual({ code: 0, signal: null });
    expect(heard).toHaveLength(1_000);
    expect(heard[999]).toEqual({ i: 999, said: { at: new Date(7) } });
    guarded.send({ late: true });
  });

  it('says so when the program is not there, and when it cannot be started at all', async () => {
    const missing = await spawnGuarded({ argv: ['no-such-program'], ...ORPHAN });
    expect((await missing.exited).code).toBe(127);
    await expect(spawnGuarded({ argv: ['true'], cwd: '/no/such/folder', ...ORPHAN })).rejects.toThrow('ENOENT');
  });

  it('is asked more and more firmly to end', async () => {
    const deaf = await spawnGuarded({
      argv: ['/bin/sh', '-c', 'trap "" TERM; echo up; sleep 600 & wait; wait'],
      ...ORPHAN,
    });
    let output = '';
    deaf.stdout.on('data', (chunk) => (output += chunk));
    await until(() => output.includes('up'));
    expect(await endProcess(deaf, [{ signal: 'SIGTERM', waitMs: 50 }])).toEqual({ code: null, signal: 'SIGKILL' });
  });
});

describe('withinMs', () => {
  it('gives the value in time, and undefined when it takes too long', async () => {
    expect(await withinMs(Promise.resolve(7), 1_000)).toBe(7);
    expect(await withinMs(new Promise<number>(() => undefined), 1)).toBeUndefined();
  });
});
