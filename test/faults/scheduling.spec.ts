import { describeRow, sharedStack } from './scenario';
import { allStopped } from './scenarios/all-stopped';
import { changesOfMind } from './scenarios/changes-of-mind';
import { clockOff } from './scenarios/clock-off';
import { schedulerFrozen } from './scenarios/scheduler-frozen';
import { schedulerKilled } from './scenarios/scheduler-killed';

const stack = sharedStack(schedulerKilled);

// The controls that take long are part of `npm run test:faults` only.
describeRow(schedulerKilled, { stack });
describeRow(allStopped, { stack, shownElsewhere: ['scheduler.waits_for_due'] });
describeRow(clockOff, { stack, shownElsewhere: ['worker.database_time'] });
describeRow(changesOfMind, { stack, shownElsewhere: ['gateway.changes_lock'] });
// Last: it adds a scheduler.
describeRow(schedulerFrozen, { stack, shownElsewhere: ['bus.late_publishes_read'] });
