import type { JobStatus } from '#shared/domain/status';
import { commandsFor, whyNot } from './commands';
import { exampleJob } from './job-examples';

const jobIn = (status: JobStatus) => exampleJob([], { id: 'i', status });

describe('what can be done to a job', () => {
  it.each<[JobStatus, string | null, string]>([
    ['scheduled', null, 'cancel reschedule'],
    ['waiting', null, 'cancel'],
    ['pending', 'a', 'cancel'],
    ['running', 'a', 'cancel'],
    ['cancelling', 'a', ''],
    ['failed', null, 'retry delete'],
    ['failed', 'a', 'retry retryFrom delete'],
    ['cancelled', 'a', 'retry retryFrom delete'],
    ['completed', null, 'delete'],
    ['completed', 'a', 'retryFrom delete'],
  ])('%s with step %s: %s', (status, step, expected) => {
    const possible = Object.entries(whyNot(jobIn(status), step)).filter(([, why]) => why === null);
    expect(possible.map(([name]) => name).join(' ')).toBe(expected);
  });
});

describe('commands', () => {
  it('are those that apply', () => {
    const words = commandsFor(jobIn('failed'), 'a b').map(({ args, method, path, body }) =>
      [args.join(' '), method, path, JSON.stringify(body) ?? ''].join(' | '),
    );
    expect(words).toEqual([
      'ingest status i | GET | /v1/ingest/i | ',
      'ingest logs i --step a b | GET | /v1/ingest/i/logs?step=a%20b | ',
      'ingest retry i | POST | /v1/ingest/i/retry | ',
      'ingest retry i --from a b | POST | /v1/ingest/i/retry | {"from_step":"a b"}',
      'ingest delete i | DELETE | /v1/ingest/i | ',
    ]);
    expect(commandsFor(jobIn('scheduled'), null).map(({ label }) => label)).toEqual([
      'Show it',
      'Cancel',
      'Run now',
      'Start in 10 minutes',
    ]);
  });
});
