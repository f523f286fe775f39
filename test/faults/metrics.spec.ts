import { describeRow } from './scenario';
import { metricsAway } from './scenarios/metrics-away';

// The control waits as long for what does not come: it is part of `npm run test:faults` only.
describeRow(metricsAway, { shownElsewhere: ['metrics.compares'] });
