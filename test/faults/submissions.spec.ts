import { describeRow, sharedStack } from './scenario';
import { gatewayKilled, postgresStopped } from './scenarios/submissions';

const stack = sharedStack(postgresStopped);

describeRow(gatewayKilled, { stack, shownElsewhere: ['gateway.answers_after_commit'] });
describeRow(postgresStopped, { stack });
