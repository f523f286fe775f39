import { describeRow, sharedStack } from './scenario';
import { allStopped } from './scenarios/all-stopped';
import { clockOff } from './scenarios/clock-off';
import { changesOfMind } from './scenarios/changes-of-mind';
import { schedulerFrozen } from './scenarios/scheduler-frozen';
import { schedulerKilled } from './scenarios/scheduler-killed';

const stack = sharedStack(schedulerKilled);

describeRow(schedulerKilled, { stack });
describeRow(allStopped, { stack, shownElsewhere: ['scheduler.waits_for_due'] });
describeRow(clockOff, { stack });
describeRow(changesOfMind, { stack });
// Last: it adds a scheduler.
describeRow(schedulerFrozen, { stack });
