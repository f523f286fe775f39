import { NatsBus } from '#shared/bus/nats-bus';
import { Publisher } from '#shared/bus/publisher';
import { dependantsWaker } from '#shared/bus/scheduler-wake';
import { TelemetrySender } from '#shared/bus/telemetry-sender';
import { ensureTopology } from '#shared/bus/topology';
import { TurnPublisher } from '#shared/bus/turn-publisher';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { loadPipelineFile } from '#shared/runtime/pipeline-file';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import { createDatabase, type Database } from '#shared/store/database';
import { JobReader } from '#shared/store/jobs/job-reader';
import { JobSubmission } from '#shared/store/jobs/job-submission';
import { JobTransactions } from '#shared/store/jobs/job-transactions';
import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { AccessRules, refuseOpenDoor } from './http/access-rules';
import { loadApiKeys } from './http/api-keys';
import { CallNotes } from './http/call-notes';

/** What the gateway works with. */
export interface GatewayParts {
  readonly context: ServiceContext;
  readonly access: AccessRules;
  readonly notes: CallNotes;
  readonly catalog: PipelineCatalog;
  readonly handlers: ReadonlyMap<string, HandlerDefinition>;
  readonly database: Database;
  readonly pipelines: PipelineStore;
  readonly submission: JobSubmission;
  readonly transactions: JobTransactions;
  readonly reader: JobReader;
  readonly bus: NatsBus;
  readonly turns: TurnPublisher;
}

const POOL_SIZE = 20;
const CLOSE_LIMIT_MS = 1_000;

/**
 * Reads the configuration's files and opens the connections. Neither server has to be there yet: both are reached in the
 * background. What is opened here ends with the drain.
 * @throws ConfigError or PipelineConfigError: the gateway cannot start as it was told to
 */
export async function openGatewayParts(context: ServiceContext): Promise<GatewayParts> {
  const { config, log } = context;
  const keys = await loadApiKeys(config);
  refuseOpenDoor(config, keys);
  const { catalog: handlers } = await knownHandlers(config.handlersModule);
  const catalog = await loadPipelineFile(config.pipelineConfigPath, handlers);
  const database = openDatabaseInBackground(context);
  const bus = NatsBus.open({ url: config.natsUrl, name: 'sluice-gateway', log });
  const publisher = new Publisher(bus, { timeoutMs: config.publishLimitMs });
  const pipelines = new PipelineStore(database);
  const submission = new JobSubmission(database);
  const telemetry = new TelemetrySender({
    ...{ bus, publisher, service: config.service, enabled: config.sendsTelemetry, log },
  });
  const { observe: onAttempt } = telemetry;
  const transactions = new JobTransactions(database, pipelines, { onUntold: dependantsWaker(bus), onAttempt });
  telemetry.start();
  keepTopology(context, bus, catalog);
  context.drain.register('flush', 'submissions', () => submission.idle());
  context.drain.register('flush', 'changes of jobs', () => transactions.close());
  context.drain.register('flush', 'publishes', async () => {
    await telemetry.stop(CLOSE_LIMIT_MS);
    await publisher.drain(CLOSE_LIMIT_MS);
  });
  context.drain.register('bus', 'nats', () => bus.close(CLOSE_LIMIT_MS));
  return {
    context,
    access: new AccessRules(keys, config),
    notes: new CallNotes(),
    catalog,
    handlers,
    database,
    pipelines,
    submission,
    transactions,
    reader: new JobReader(database, pipelines),
    bus,
    turns: new TurnPublisher(publisher),
  };
}

function openDatabaseInBackground({ config, log, drain }: ServiceContext): Database {
  const database = createDatabase({
    url: config.databaseUrl,
    applicationName: 'sluice-gateway',
    poolSize: POOL_SIZE,
    onIdleError: (error) => log.warn({ err: error }, 'a connection to Postgres was lost'),
  });
  const stopping = new AbortController();
  const connected = connectWhenUp(database, log, stopping.signal);
  drain.register('store', 'postgres', async () => {
    stopping.abort();
    await connected;
    if (database.isInitialized) await database.destroy();
  });
  return database;
}

/** The first jobs of a new installation should not have to wait until a worker or scheduler has made the stream. */
function keepTopology({ config, log }: ServiceContext, bus: NatsBus, { queues }: PipelineCatalog): void {
  bus.onConnect(() => {
    ensureTopology(bus, { queues, ackWaitMs: config.ackWaitMs }).catch((error: unknown) => {
      log.warn({ err: error }, 'the work queue is not ready; turns are published again once it is');
    });
  });
}
