import { describeRow, sharedStack } from './scenario';
import { gatewayKilled, postgresStopped } from './scenarios/submissions';

const stack = sharedStack(postgresStopped);

describeRow(postgresStopped, { stack });
describeRow(gatewayKilled, { stack });
