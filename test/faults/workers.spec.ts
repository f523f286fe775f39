import { describeRow, sharedStack } from './scenario';
import { killedAfterCommit } from './scenarios/killed-between-commits';
import { killedBeforeCommit } from './scenarios/killed-before-commit';
import { workersKilled } from './scenarios/worker-killed';

const stack = sharedStack(workersKilled);

describeRow(workersKilled, { stack });
describeRow(killedAfterCommit, { stack });
describeRow(killedBeforeCommit, { stack });
