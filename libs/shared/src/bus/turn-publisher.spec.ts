import { workMessage } from '#shared/contracts/work-message';
import type { Publisher, PublishOutcome } from '#shared/bus/publisher';
import { type Turn, TurnPublisher } from './turn-publisher';

const TURN: Turn = {
  message: {
    job_id: '0190a0b0-0000-7000-8000-000000000001',
    ...{ run: 1, head: 2, at: 1_800_000_000_000_123, read: false, pipeline_hash: 'h' },
  },
  ...{ queue: 'default', priority: 'high' },
};
const STORED: PublishOutcome = { kind: 'stored', seq: 1, duplicate: false };
const IN_DOUBT: PublishOutcome = { kind: 'in_doubt' };
const TIMEOUT_MS = 5_000;

/** What is sent, as [id, read], when the stream answers so. */
async function sent(turn: Turn, answers: PublishOutcome[]): Promise<[string, boolean][]> {
  const all: [string, boolean][] = [];
  const publish = async (_: string, payload: string, msgId: string): Promise<PublishOutcome> => {
    all.push([msgId, workMessage.parse(JSON.parse(payload)).read]);
    return answers.shift() ?? STORED;
  };
  await new TurnPublisher({ timeoutMs: TIMEOUT_MS, publish } as unknown as Publisher).publish(turn);
  return all;
}

const ID = '0190a0b0-0000-7000-8000-000000000001:1:2:1800000000000123';

describe('a turn', () => {
  it('is sent once, as it is', async () => {
    expect(await sent(TURN, [STORED])).toEqual([[ID, false]]);
    expect(await sent({ ...TURN, askedAtMs: performance.now() }, [STORED])).toEqual([[ID, false]]);
    expect(await sent(TURN, [{ kind: 'refused', reason: 'away' }])).toEqual([[ID, false]]);
  });

  it('in doubt is sent once more, by the same id, and has to be read then', async () => {
    expect(await sent(TURN, [IN_DOUBT, IN_DOUBT])).toEqual([
      [ID, false],
      [ID, true],
    ]);
  });

  it('that comes later than a publish may take after its opening has to be read: the sweep may have sent it', async () => {
    const askedAtMs = performance.now() - TIMEOUT_MS - 1;
    expect(await sent({ ...TURN, askedAtMs }, [STORED])).toEqual([[ID, true]]);
  });
});
