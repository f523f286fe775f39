import { describeRow } from './scenario';
import { replyLost } from './scenarios/reply-lost';

describeRow(replyLost);
