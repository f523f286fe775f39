import { describeRow } from './scenario';
import { killerStep } from './scenarios/killer-step';

describeRow(killerStep);
