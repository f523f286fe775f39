import { describeRow, sharedStack } from './scenario';
import { killedAfterCommit } from './scenarios/killed-between-commits';
import { killedBeforeCommit } from './scenarios/killed-before-commit';
import { workersKilled } from './scenarios/worker-killed';

const stack = sharedStack(workersKilled);

describeRow(workersKilled, { stack, shownElsewhere: ['worker.acks_after_commit'] });
describeRow(killedAfterCommit, { stack });
describeRow(killedBeforeCommit, { stack });
