import type { JobRequest } from './draft';
import { submitCli, submitCurl } from './command-lines';

const ORIGIN = 'http://127.0.0.1:3000';

test('the call as curl', () => {
  expect(submitCurl({ pipeline: 'demo', description: "it's" }, 'http://localhost:3000', true)).toBe(
    'curl -s -X POST http://localhost:3000/v1/ingest -H "authorization: Bearer $SLUICE_API_KEY" ' +
      `-H 'content-type: application/json' -d '{"pipeline":"demo","description":"it'\\''s"}'`,
  );
});

describe('the command', () => {
  test('all that it can say', () => {
    const line = submitCli(
      {
        pipeline: 'demo',
        source: '/srv/my code',
        branch: 'main',
        input: { a: "it's" },
        steps: ['a', 'b'],
        options: { a: { size: 7, mode: 'fast', text: '7', list: ['x'] } },
        priority: 'high',
        eta: '2030-01-31T18:30:00.000Z',
        countdown: 1.5,
        depends_on: ['i', 'j'],
        on_dependency_failure: 'run',
        tags: ['one', 'two, three'],
        description: '-v',
        idempotency_key: 'k',
      },
      ORIGIN,
    );
    expect(line).toBe(
      `npx sluice ingest start '/srv/my code' --pipeline demo --branch main --priority high --steps a,b ` +
        `--option a.size=7 --option a.mode=fast --option 'a.text="7"' --option 'a.list=["x"]' ` +
        `--input '{"a":"it'\\''s"}' --eta 2030-01-31T18:30:00.000Z --countdown 1.5 --depends-on i,j ` +
        `--on-dependency-failure run --tag one --tag 'two, three' --description -v --idempotency-key k`,
    );
  });

  test('a source that looks like an option', () => {
    expect(submitCli({ pipeline: 'demo', source: '-x@host:y' }, ORIGIN)).toBe(
      'npx sluice ingest start --pipeline demo -- -x@host:y',
    );
  });

  test.each<Partial<JobRequest>>([
    { steps: ['a,b'] },
    { steps: [' a'] },
    { options: { 'a.b': { key: 1 } } },
    { options: { 'a=b': { key: 1 } } },
    { options: { a: { 'k=y': 1 } } },
    { source: 'src' },
  ])('%j cannot be said', (fields) => {
    expect(submitCli({ pipeline: 'demo', ...fields }, ORIGIN)).toBeNull();
  });
});
