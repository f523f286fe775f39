/*
 * What stands in the place of modules of the product in a simulation: all that speaks to Postgres and NATS, what workers
 * run, and the rules of the domain with guards that can be taken away. To be imported before all else.
 */
const store = (): typeof import('./store-doubles') => jest.requireActual('./store-doubles');
const bus = (): typeof import('./bus-doubles') => jest.requireActual('./bus-doubles');
const world = (): typeof import('./running-world') => jest.requireActual('./running-world');
const keeper = (): typeof import('./keeper-double') => jest.requireActual('./keeper-double');
const rules = (): typeof import('./guarded-rules') => jest.requireActual('./guarded-rules');

jest.mock('#shared/domain/turn/claim', () => rules().guardedClaim(jest.requireActual('#shared/domain/turn/claim')));
jest.mock('#shared/domain/turn/end-attempt', () =>
  rules().guardedEnd(jest.requireActual('#shared/domain/turn/end-attempt')),
);
jest.mock('#shared/domain/turn/mend', () => rules().guardedMend(jest.requireActual('#shared/domain/turn/mend')));
jest.mock('#shared/domain/turn/tokens', () => rules().guardedTokens(jest.requireActual('#shared/domain/turn/tokens')));

jest.mock('#shared/store/jobs/job-transactions', () => ({ JobTransactions: store().SimTransactions }));
jest.mock('#shared/store/jobs/pipeline-store', () => ({ PipelineStore: store().SimPipelines }));
jest.mock('#shared/store/jobs/work-data-reader', () => ({ WorkDataReader: store().SimWorkData }));
jest.mock('#shared/store/jobs/cancels', () => ({
  ...jest.requireActual<object>('#shared/store/jobs/cancels'),
  Cancels: store().SimCancels,
}));
jest.mock('#shared/store/jobs/dependants', () => ({ Dependants: store().SimDependants }));
jest.mock('#shared/store/schedules/schedule-ticks', () => ({ ScheduleTicks: store().SimTicks }));
jest.mock('#shared/store/jobs/due-jobs', () => ({ DueJobs: store().SimDueJobs }));
jest.mock('#shared/store/jobs/stuck-steps', () => ({
  ...jest.requireActual<object>('#shared/store/jobs/stuck-steps'),
  StuckSteps: store().SimStuckSteps,
}));
jest.mock('#shared/store/worker-registry', () => ({ WorkerRegistry: store().SimRegistry }));
jest.mock('#shared/store/step-reports', () => ({ StepReports: store().SimReports }));
jest.mock('#shared/store/connect', () => ({ connectWhenUp: async () => true }));
jest.mock('#shared/store/graph/graph-store', () => ({ GraphStore: class NoGraph {} }));

jest.mock('#shared/bus/publisher', () => ({ Publisher: bus().SimPublisher }));
jest.mock('#shared/bus/signals', () => ({ notify: bus().notify, listen: bus().listen }));
jest.mock('#shared/bus/live-events', () => ({ publishEvents: () => undefined }));
jest.mock('#shared/bus/topology', () => ({ ensureTopology: async () => undefined }));
jest.mock('../../../apps/step-worker/src/transport/jetstream-pull.strategy', () => ({
  JetStreamPullStrategy: bus().SimStrategy,
}));
jest.mock('../../../apps/step-worker/src/keeper/keeper', () => ({ ThreadKeeper: keeper().SimKeeper }));
jest.mock('../../../apps/step-worker/src/handlers/handler-registry', () => ({
  createHandlers: () => world().runningWorld().handlers,
}));

export {};
