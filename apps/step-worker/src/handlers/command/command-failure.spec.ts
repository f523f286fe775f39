import { failureOf, startFailure } from './command-failure';

const SH = { command: ['sh', '-c', 'x'] as [string, ...string[]], cwd: null, permanent_exit_codes: [3] };
const ENV = { PATH: '/usr/bin:/bin' };

describe('a program that fails', () => {
  it.each([
    [{ code: 1, signal: null }, 'TransientError', 'exit_1', 'sh ended with exit code 1: no luck'],
    [{ code: 3, signal: null }, 'PermanentError', 'exit_3', 'sh ended with exit code 3: no luck'],
    [{ code: 127, signal: null }, 'TransientError', 'exit_127', 'sh ended with exit code 127: no luck'],
    [{ code: null, signal: 'SIGSEGV' as const }, 'TransientError', 'sigsegv', 'sh ended with signal SIGSEGV: no luck'],
  ])('%j', (exit, name, code, message) => {
    expect(failureOf(SH, exit, ' no\tluck ', ENV)).toMatchObject({ name, code, message });
  });

  it('without a word is told by its exit alone; with many, by the first 500 characters', () => {
    const exit = { code: 1, signal: null };
    expect(failureOf(SH, exit, ' ', ENV).message).toBe('sh ended with exit code 1');
    expect(failureOf(SH, exit, 'x'.repeat(9_000), ENV).message).toHaveLength(
      'sh ended with exit code 1: '.length + 500,
    );
  });
});

describe('a program that cannot be started', () => {
  const exit = { code: 127, signal: null };
  const cannot = (program: string, cwd: string | null = null) =>
    failureOf({ ...SH, command: [program], cwd }, exit, 'sh: not found', ENV);

  it('may be there the next time, so it is tried again', () => {
    expect(cannot('no-such-program')).toMatchObject({ name: 'TransientError', code: 'command_not_started' });
    expect(cannot('no-such-program').message).toBe(
      'no-such-program cannot be started: there is no such program on the PATH; ' +
        'install it on this worker, or correct the command of the step',
    );
  });

  it('unless the step says that its exit code is permanent', () => {
    const options = { ...SH, command: ['no-such-program'] as [string], permanent_exit_codes: [127] };
    expect(failureOf(options, exit, '', ENV).name).toBe('PermanentError');
  });

  it('is told from one that may not be executed, and paths go from its folder', () => {
    expect(cannot('/no/such/file').message).toContain('there is no such file');
    expect(cannot(__filename).message).toContain('it may not be executed');
    expect(cannot('./bin/sh', '/').message).toBe('./bin/sh ended with exit code 127: sh: not found');
  });

  it('for lack of its folder says which one', () => {
    const error = startFailure({ ...SH, cwd: '/no/such/folder' }, new Error('spawn /bin/sh ENOENT'));
    expect(error).toMatchObject({ name: 'TransientError', code: 'command_not_started' });
    expect(error.message).toBe('sh cannot be started: this worker has no folder /no/such/folder');
  });
});
