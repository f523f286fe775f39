import type { Guard } from './guards';
import type { PlanEntry } from './plan';
import type { ScenarioSettings } from './scenario';

/**
 * Guards taken away, alone or together with the others that do the same, where that shows soonest; and what is then seen.
 *
 * Not here, since what goes wrong without them was not met with in hundreds of runs: all or nothing (a turn that ran on,
 * half of which somebody else has recorded meanwhile), and the frontier (of a message that has waited for a whole margin,
 * a second copy that is claimed just before the first is recorded as running). Nor what only costs time when it is left
 * out: a drain hands back the messages of turns that rest, which else come again after an `ack_wait`. Nor what would heal
 * with the next end of a job that others need: test/integration/core-dependencies.spec.ts has it.
 */
export interface Control {
  readonly without: readonly Guard[];
  /** With which it shows soonest: within a few scenarios. `SLUICE_TEST_FIND_SEEDS` finds it anew, see guards.spec.ts. */
  readonly seed: number;
  readonly shows: RegExp;
  readonly settings: ScenarioSettings;
}

/** Longer than a lease; some longer than `ack_wait`. */
const LONG_MS = [12_000, 25_000, 45_000];

type Planned = readonly [on: PlanEntry['on'], nth: number, action: PlanEntry['action']];

const planOf = (...entries: Planned[]): PlanEntry[] =>
  entries.map(([on, nth, action]) => ({ on, nth, action, ms: 0, which: 0 }));

/** A message of a run that has failed comes again, its ack lost, while the next run waits to try the step anew. */
const OLD_MESSAGE = planOf(
  ['begun', 0, 'fail-for-good'],
  ['ending', 0, 'lose-ack'],
  ['second', 28, 'retry'],
  ['begun', 1, 'fail'],
);

/**
 * Who keeps a message through a short back-off dies, and the message is lost too; after a long one, that which the
 * scheduler sends is.
 */
const LOST_IN_BACK_OFF = planOf(
  ['begun', 0, 'fail'],
  ['second', 0, 'lose-message'],
  ['second', 0, 'crash'],
  ['stored', 1, 'lose-message'],
);

const TWICE = /begins step|is recorded/;
const STUCK = /does not end|nothing is open/;
const CANCEL = /cancel/;

export const CONTROLS: readonly Control[] = [
  {
    without: ['run'],
    seed: 1,
    shows: /in run 1, though run 2/,
    settings: { plan: OLD_MESSAGE, maxSteps: 1, jobs: 1, limited: false },
  },
  {
    without: ['slow bit'],
    seed: 1,
    shows: /is recorded as epoch/,
    settings: {
      ...{ actions: ['early', 'stop', 'take-long'], points: ['begun'], durationsMs: LONG_MS },
      ...{ minEntries: 6, maxNth: 8, limited: false },
    },
  },
  {
    without: ['step epoch'],
    seed: 23,
    shows: TWICE,
    settings: { actions: ['stop', 'early', 'take-long', 'cut'], durationsMs: LONG_MS, minEntries: 4 },
  },
  {
    // What is over is recorded as running once more, or as completed: the former leaves what came after it without its needs.
    without: ['state'],
    seed: 22,
    shows: /is recorded again|before its needs/,
    settings: { actions: ['anew', 'doubt'], minEntries: 3, limited: false },
  },
  {
    without: ['ready from the locked row'],
    seed: 33,
    shows: STUCK,
    settings: {
      ...{ actions: ['slow'], points: ['delivered', 'begun', 'committed'], durationsMs: LONG_MS },
      ...{ minEntries: 3, maxNth: 8, jobs: 4, minSteps: 3, limited: false },
    },
  },
  {
    without: ['row of the kept step'],
    seed: 2,
    shows: TWICE,
    settings: { actions: ['take-long'], minEntries: 3, minSteps: 3, limited: false },
  },
  {
    without: ['read on redelivery'],
    seed: 5,
    shows: TWICE,
    settings: { actions: ['lose-ack', 'crash'], minEntries: 3 },
  },
  {
    // Unread, it begins at an epoch that is over: what it does is thrown away, and the sweep has to begin it once more.
    without: ['read after a rest'],
    seed: 3,
    shows: /is thrown away without a fault|though that is over/,
    settings: { actions: ['fail'], points: ['begun'], minEntries: 1, limited: false },
  },
  {
    // What the sweep sends unread of a step that was claimed before is thrown away, time and again.
    without: ['read on repeats'],
    seed: 25,
    shows: /begins step|is recorded|does not end/,
    settings: {
      actions: ['restart-nats', 'doubt-publish', 'stop', 'lose-publish', 'lose-message', 'slow'],
      minEntries: 4,
    },
  },
  {
    without: ['read on late publishes'],
    seed: 31,
    shows: TWICE,
    settings: {
      ...{ actions: ['stop'], points: ['committed', 'publish'], durationsMs: [45_000, 60_000] },
      ...{ minEntries: 4, maxNth: 12, workers: 2, jobs: 4, minSteps: 4, limited: false },
    },
  },
  {
    without: ['read on late submissions'],
    seed: 2,
    shows: TWICE,
    settings: { actions: ['stop'], points: ['publish'], durationsMs: [45_000, 60_000], minEntries: 1, limited: false },
  },
  {
    without: ['lease at begin'],
    seed: 14,
    shows: TWICE,
    settings: {
      ...{ actions: ['stop', 'cancel'], points: ['delivered', 'committed', 'marked'], durationsMs: LONG_MS },
      minEntries: 4,
    },
  },
  {
    without: ['horizon'],
    seed: 9,
    shows: CANCEL,
    settings: {
      ...{ actions: ['cancel', 'crash', 'stop'], points: ['delivered', 'stored', 'committed', 'second'] },
      ...{ durationsMs: LONG_MS, minEntries: 3, limited: false },
    },
  },
  {
    without: ['horizon raised by what is forgotten'],
    seed: 16,
    shows: CANCEL,
    settings: {
      ...{ actions: ['cancel', 'take-long'], points: ['delivered', 'begun', 'stored', 'publish'] },
      ...{ minEntries: 8, maxEntries: 12, maxNth: 8, workers: 1, jobs: 4, minSteps: 3, limited: false },
    },
  },
  {
    without: ['memory of cancels'],
    seed: 3,
    shows: CANCEL,
    settings: { actions: ['cancel'], points: ['stored', 'publish', 'committed'], minEntries: 2, limited: false },
  },
  {
    without: ['cancel waits for workers'],
    seed: 2,
    shows: CANCEL,
    settings: {
      ...{ actions: ['cancel', 'lose-word', 'take-long'], points: ['delivered', 'begun', 'stored', 'publish'] },
      ...{ minEntries: 5, minSteps: 3, limited: false },
    },
  },
  {
    without: ['acknowledged when nothing runs'],
    seed: 20,
    shows: /acknowledges the cancel .* of which it runs/,
    settings: { actions: ['cancel', 'take-long'], minEntries: 4 },
  },
  {
    without: ['new incarnation', 'unknown rows handed back'],
    seed: 1,
    shows: STUCK,
    settings: {
      ...{ actions: ['crash'], points: ['committed', 'begun'], durationsMs: [20, 2_000] },
      ...{ minEntries: 2, workers: 2 },
    },
  },
  {
    without: ['one turn per head', 'what is known is left alone'],
    seed: 4,
    shows: TWICE,
    settings: {
      ...{ actions: ['deaf', 'take-long'], points: ['begun', 'delivered'], durationsMs: [45_000] },
      ...{ minEntries: 4, workers: 1 },
    },
  },
  {
    without: ['claim when the lease is over'],
    seed: 4,
    shows: /is said to have crashed, and is alive/,
    settings: { actions: ['early', 'take-long'], minEntries: 3 },
  },
  {
    without: ['claim when due'],
    seed: 28,
    shows: /before that is due/,
    settings: { actions: ['fail', 'lose-ack', 'early', 'stop'], minEntries: 3 },
  },
  {
    without: ['hand back'],
    seed: 2,
    shows: /a drain of .* counts as a crash/,
    settings: { actions: ['drain', 'take-long'], minEntries: 3 },
  },
  {
    without: ['in doubt claims', 'unknown rows handed back'],
    seed: 3,
    shows: STUCK,
    settings: { actions: ['doubt'], points: ['begun', 'ended'], minEntries: 2, minSteps: 3 },
  },
  {
    without: ['token limit'],
    seed: 1,
    shows: /used of|are at work/,
    settings: { maxEntries: 0, jobs: 4, minSteps: 3 },
  },
  { without: ['tokens back'], seed: 1, shows: /holds tokens while/, settings: { maxEntries: 0 } },
  {
    without: ['frontier of the undelivered'],
    seed: 2,
    shows: STUCK,
    settings: { actions: ['orphan', 'lose-message'], minEntries: 3 },
  },
  {
    without: ['margin'],
    seed: 35,
    shows: TWICE,
    settings: { actions: ['slow'], durationsMs: LONG_MS, minEntries: 1, limited: false },
  },
  { without: ['sweep'], seed: 14, shows: STUCK, settings: { actions: ['lose-message'], minEntries: 1 } },
  {
    without: ['sweep of rows'],
    seed: 4,
    shows: STUCK,
    settings: { plan: LOST_IN_BACK_OFF, maxSteps: 1, jobs: 1, workers: 1, limited: false },
  },
  {
    without: ['sweep of the dead'],
    seed: 2,
    shows: STUCK,
    settings: { actions: ['crash', 'wipe-nats'], minEntries: 3 },
  },
  { without: ['release of the parked'], seed: 1, shows: STUCK, settings: { maxEntries: 0, jobs: 4 } },
  {
    without: ['suspects one at a time'],
    seed: 13,
    shows: /crashes that another step has caused/,
    settings: {
      ...{ actions: ['kill', 'take-long'], points: ['begun', 'delivered'] },
      ...{ minEntries: 3, workers: 1, jobs: 4, limited: false },
    },
  },
  { without: ['released when due'], seed: 1, shows: /begins before its time/, settings: { held: true, maxEntries: 0 } },
  {
    without: ['waits for others'],
    seed: 1,
    shows: /begins before job/,
    settings: { held: true, maxEntries: 0, jobs: 4, limited: false },
  },
  {
    without: ['dependants are told'],
    seed: 1,
    shows: STUCK,
    settings: { held: true, maxEntries: 0, jobs: 4, limited: false },
  },
];
