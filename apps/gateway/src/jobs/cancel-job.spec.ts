import type { NatsBus } from '#shared/bus/nats-bus';
import type { JobView } from '#shared/contracts/job';
import { CANCEL_BROADCAST, eventsSubject, SCHEDULER_WAKE } from '#shared/contracts/subjects';
import type { Logger } from '#shared/runtime/logger';
import type { Cancels } from '#shared/store/jobs/cancels';
import type { JobReader } from '#shared/store/jobs/job-reader';
import type { JobCommand, JobTransactions } from '#shared/store/jobs/job-transactions';
import { draftOf, JOB_ID } from '../../../../test/support/drafts';
import { CancelJob } from './cancel-job';
import { ChangeAnnouncer } from './change-announcer';
import { RetryJob } from './retry-job';
import type { TurnSender } from './turn-sender';

/** The calls of a use case in the order in which they were made; those named in `failing` throw. */
function partsThat(status: 'running' | 'failed', failing: readonly string[] = []) {
  const calls: string[] = [];
  const warnings: unknown[] = [];
  const draft = draftOf({ job: status === 'failed' ? { status, open: 0n, dead: 7n } : { status } });
  const call = (name: string): void => {
    calls.push(name);
    if (failing.includes(name)) throw new Error(`${name} failed`);
  };
  const transactions = {
    run: async ({ apply }: JobCommand<unknown>) => {
      const result = apply(draft, { leases: new Map(), pools: new Map(), statusOf: () => undefined });
      call('commit');
      return { result, draft, statusBefore: status, pipeline: { hash: 'h', definition: draft.pipeline } };
    },
  } as unknown as JobTransactions;
  const bus = { isStalled: false, maxPayloadBytes: 1_000_000, send: (subject: string) => Boolean(calls.push(subject)) };
  const turns = { send: () => void calls.push('turn') } as unknown as TurnSender;
  const announcer = new ChangeAnnouncer(bus as unknown as NatsBus, turns);
  const reader = {
    get: async () => {
      call('read');
      return { id: JOB_ID } as JobView;
    },
  } as unknown as JobReader;
  const cancels = { mark: async () => call('mark') } as unknown as Cancels;
  const log = { warn: (details: unknown) => warnings.push(details) } as unknown as Logger;
  return {
    calls,
    warnings,
    cancel: new CancelJob(transactions, cancels, reader, announcer, log),
    retry: new RetryJob(transactions, reader, announcer),
  };
}

const EVENTS = eventsSubject(JOB_ID);

describe('a cancel', () => {
  it('is marked after its commit, and only then broadcast', async () => {
    const { cancel, calls } = partsThat('running');
    expect(await cancel.cancel(JOB_ID.toUpperCase())).toEqual({ job: { id: JOB_ID }, accepted: true });
    expect(calls).toEqual(['commit', EVENTS, 'mark', CANCEL_BROADCAST, SCHEDULER_WAKE, 'read']);
  });

  it('whose mark fails is broadcast all the same: the scheduler marks it', async () => {
    const { cancel, calls, warnings } = partsThat('running', ['mark']);
    expect((await cancel.cancel(JOB_ID)).accepted).toBe(true);
    expect(calls).toEqual(['commit', EVENTS, 'mark', CANCEL_BROADCAST, SCHEDULER_WAKE, 'read']);
    expect(warnings).toMatchObject([{ job: JOB_ID }]);
  });

  it('of a job that has ended tells nobody', async () => {
    const { cancel, calls } = partsThat('failed');
    expect((await cancel.cancel(JOB_ID)).accepted).toBe(false);
    expect(calls).toEqual(['commit', 'read']);
  });

  it('that was not committed is told to nobody', async () => {
    const { cancel, calls } = partsThat('running', ['commit']);
    await expect(cancel.cancel(JOB_ID)).rejects.toThrow('commit failed');
    expect(calls).toEqual(['commit']);
  });
});

describe('a retry', () => {
  it('is read before anybody works on it', async () => {
    const { retry, calls } = partsThat('failed');
    expect(await retry.retry(JOB_ID, null)).toEqual({ id: JOB_ID });
    expect(calls).toEqual(['commit', 'read', 'turn', EVENTS]);
  });

  it('that is committed is sent to the workers, though it cannot be read', async () => {
    const { retry, calls } = partsThat('failed', ['read']);
    await expect(retry.retry(JOB_ID, null)).rejects.toThrow('read failed');
    expect(calls).toEqual(['commit', 'read', 'turn', EVENTS]);
  });

  it('that was not committed is sent to nobody', async () => {
    const { retry, calls } = partsThat('failed', ['commit']);
    await expect(retry.retry(JOB_ID, null)).rejects.toThrow('commit failed');
    expect(calls).toEqual(['commit']);
  });
});
