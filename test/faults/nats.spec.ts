import { describeRow, sharedStack } from './scenario';
import { natsKilled, storeLost } from './scenarios/nats-killed';

const stack = sharedStack(natsKilled);

describeRow(natsKilled, { stack, shownElsewhere: ['scheduler.sweeps'] });
describeRow(storeLost, { stack });
