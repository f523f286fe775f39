import { ENVIRONMENT } from '#shared/runtime/environment';
import { commandEnvironment } from './command-environment';

const CONTEXT = {
  ...{ jobId: 'job-1', step: 'fetch', attempt: 2, idempotencyKey: 'job-1:fetch' },
  input: { source: null, source_type: null, branch: null, commit: null, input: {} },
};

const ABOUT = {
  SLUICE_JOB_ID: 'job-1',
  SLUICE_STEP: 'fetch',
  SLUICE_ATTEMPT: '2',
  SLUICE_IDEMPOTENCY_KEY: 'job-1:fetch',
};

describe('the environment of a program', () => {
  it('is the worker’s without what is Sluice’s own, and says what the attempt is', () => {
    const own = Object.fromEntries([...Object.keys(ENVIRONMENT.shape), 'SLUICE_API_KEY'].map((name) => [name, 'x']));
    const worker = { ...own, PATH: '/bin', HOME: '/root', SLUICE_JOB_ID: 'another' };
    expect(commandEnvironment(worker, new Set(), CONTEXT, {})).toEqual({ PATH: '/bin', HOME: '/root', ...ABOUT });
  });

  it('has none of the secrets of steps, but for those that its own step names', () => {
    const worker = { API_TOKEN: 't', API_TOKEN_FILE: '/f', API_TOKENS: 'kept' };
    expect(commandEnvironment(worker, new Set(['API_TOKEN']), CONTEXT, { TOKEN: 't' })).toEqual({
      ...ABOUT,
      API_TOKENS: 'kept',
      TOKEN: 't',
    });
  });

  it('names the source of a job that has one; what the step says comes last', () => {
    const context = { ...CONTEXT, input: { ...CONTEXT.input, source: '/src' } };
    const env = commandEnvironment({ PATH: '/bin' }, new Set(), context, { PATH: '/own', SLUICE_STEP: 'mine' });
    expect(env).toEqual({ ...ABOUT, PATH: '/own', SLUICE_SOURCE: '/src', SLUICE_STEP: 'mine' });
  });
});
