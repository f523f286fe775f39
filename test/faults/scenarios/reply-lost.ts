import { until } from '../../support/poll';
import { cutAfterCommand } from '../../support/reply-watchers';
import { KeyedClient } from '../keyed-client';
import { SPOTLESS, STEADY_TIMES, untilStreamEmpty } from '../oracle';
import type { Scenario } from '../scenario';
import { countJobs, type Submitted, weigh } from './submissions';

interface Findings extends Submitted {
  /** Replies that were lost: to inserts of jobs, and to COMMITs of workers. */
  readonly lostReplies: number;
  /** Jobs that were found to be stored already, by the gateway itself or when the client sent them again. */
  readonly foundAgain: number;
}

/** Row 11. */
export const replyLost: Scenario<Findings> = {
  row: 11,
  title: 'the commit is there, its reply is lost',
  stack: () => ({ workers: 2, proxied: true, env: STEADY_TIMES }),

  async provoke(stage, { size, random }) {
    const { stack, isControl } = stage;
    const before = await countJobs(stack);
    const client = new KeyedClient(stack.url, `row-11-${before}`, 'claimed');
    let lostReplies = 0;
    client.send(1); // its pipeline is stored with it, by an INSERT too
    await client.untilAccepted();
    const lose = async (tag: RegExp, wanted: number): Promise<void> => {
      const { watcher, cuts } = cutAfterCommand(tag, wanted);
      stack.postgresLine.watchReplies(watcher);
      client.send(60);
      await until(() => cuts() > 0, { deadlineMs: 20_000, everyMs: 5, what: `a lost reply to ${tag.source}` });
      await client.untilAccepted();
      stack.postgresLine.watchReplies(undefined);
      lostReplies += cuts();
    };
    for (let round = 0; round < 2 * size; round += 1) {
      // Only jobs are inserted by statements whose tag counts their rows; settlements report an UPDATE.
      await lose(/^INSERT 0 [1-9]\d*$/, 1);
      if (!isControl) await lose(/^COMMIT$/, random.int(1, 10));
      if (!isControl) await lose(/^UPDATE [1-9]\d*$/, random.int(1, 10));
    }
    const stuck = await stage.untilAtRest(client.accepted);
    await untilStreamEmpty(stack);
    return { ...(await weigh(stack, client, before)), stuck, lostReplies, foundAgain: client.repeated };
  },

  check({ verdict, stuck, lostReplies, foundAgain, falselyAccepted, twoAnswers, surplus }) {
    expect(lostReplies).toBeGreaterThan(0);
    expect(foundAgain).toBeGreaterThan(0);
    expect({ stuck, falselyAccepted, twoAnswers, surplus }).toEqual({
      stuck: 0,
      falselyAccepted: 0,
      twoAnswers: 0,
      surplus: 0,
    });
    expect(verdict).toEqual({ ...SPOTLESS, crashes: 0 });
  },

  controls: [
    {
      guards: ['store.keys_are_kept'],
      outcome: 'what was in doubt is stored twice',
      red: ({ surplus }) => expect(surplus).toBeGreaterThan(0),
    },
  ],
};
