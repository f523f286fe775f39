import { describeRow } from './scenario';
import { allStopped } from './scenarios/all-stopped';
import { changesOfMind } from './scenarios/changes-of-mind';
import { clockOff } from './scenarios/clock-off';
import { natsDiskFull, postgresDiskFull } from './scenarios/disk-full';
import { garbage } from './scenarios/garbage';
import { killerStep } from './scenarios/killer-step';
import { killedAfterCommit } from './scenarios/killed-between-commits';
import { killedBeforeCommit } from './scenarios/killed-before-commit';
import { longWaits } from './scenarios/long-waits';
import { metricsAway } from './scenarios/metrics-away';
import { natsKilled, storeLost } from './scenarios/nats-killed';
import { replyLost } from './scenarios/reply-lost';
import { rollingRestarts } from './scenarios/rolling-restarts';
import { schedulerFrozen } from './scenarios/scheduler-frozen';
import { schedulerKilled } from './scenarios/scheduler-killed';
import { blackHole, natsDown } from './scenarios/servers-away';
import { gatewayKilled, postgresStopped } from './scenarios/submissions';
import { workerFrozen } from './scenarios/worker-frozen';
import { workersKilled } from './scenarios/worker-killed';

type Options = Parameters<typeof describeRow>[1];

/** Every row of the table of faults that has a test, in its order. */
export const ROWS: readonly (readonly [row: number, describe: (options: Options) => void])[] = [
  [1, (options) => describeRow(workersKilled, options)],
  [2, (options) => describeRow(killedAfterCommit, options)],
  [3, (options) => describeRow(killedBeforeCommit, options)],
  [4, (options) => describeRow(gatewayKilled, options)],
  [5, (options) => describeRow(schedulerKilled, options)],
  [5, (options) => describeRow(allStopped, options)],
  [6, (options) => describeRow(workerFrozen, options)],
  [6, (options) => describeRow(schedulerFrozen, options)],
  [7, (options) => describeRow(natsKilled, options)],
  [8, (options) => describeRow(storeLost, options)],
  [9, (options) => describeRow(natsDown, options)],
  [10, (options) => describeRow(postgresStopped, options)],
  [11, (options) => describeRow(replyLost, options)],
  [12, (options) => describeRow(blackHole, options)],
  [13, (options) => describeRow(killerStep, options)],
  [14, (options) => describeRow(garbage, options)],
  [15, (options) => describeRow(longWaits, options)],
  [17, (options) => describeRow(clockOff, options)],
  [18, (options) => describeRow(rollingRestarts, options)],
  [19, (options) => describeRow(metricsAway, options)],
  [20, (options) => describeRow(postgresDiskFull, options)],
  [20, (options) => describeRow(natsDiskFull, options)],
  [21, (options) => describeRow(changesOfMind, options)],
];
