import { describeRow, sharedStack } from './scenario';
import { garbage } from './scenarios/garbage';
import { longWaits } from './scenarios/long-waits';

const stack = sharedStack(garbage);

// In this order: the last one's control leaves messages behind that wait for minutes.
describeRow(garbage, { stack });
describeRow(longWaits, { stack });
