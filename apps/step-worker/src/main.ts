import { type DynamicModule, Module } from '@nestjs/common';
import { NatsBus } from '#shared/bus/nats-bus';
import { HealthModule } from '#shared/runtime/health/health.module';
import { PartDown } from '#shared/runtime/health/health-part';
import { natsPart, postgresPart } from '#shared/runtime/health/server-parts';
import { metricsEndpoint } from '#shared/runtime/metrics-endpoint';
import { knownHandlers } from '#shared/runtime/handler-modules';
import { loadPipelineFile } from '#shared/runtime/pipeline-file';
import { runService, type ServiceContext } from '#shared/runtime/service';
import { createDatabase } from '#shared/store/database';
import { StepWorker } from './step-worker';

@Module({})
class StepWorkerModule {}

/** What was lost is made again sooner. */
const NOT_PULLING_MS = 5_000;

let worker: StepWorker | undefined;

async function build(context: ServiceContext): Promise<DynamicModule> {
  const { config, log, drain } = context;
  const handlers = await knownHandlers(config.handlersModule);
  const catalog = await loadPipelineFile(config.pipelineConfigPath, handlers.catalog);
  const database = createDatabase({
    url: config.databaseUrl,
    applicationName: 'sluice-step-worker',
    poolSize: 16,
    onIdleError: (error) => log.warn({ err: error }, 'a connection to Postgres was lost'),
  });
  const bus = NatsBus.open({ url: config.natsUrl, name: 'sluice-step-worker', log });
  const built = new StepWorker(context, database, bus, catalog, handlers);
  worker = built;
  drain.register('intake', 'mailbox', () => built.stopIntake());
  drain.register('work', 'turns', (limits) => built.finish(limits));
  drain.register('bus', 'nats', () => bus.close(1_000));
  drain.register('store', 'postgres', async () => {
    if (database.isInitialized) await database.destroy();
  });
  const ready = [
    postgresPart(database, { required: true }),
    natsPart(bus, { required: true }),
    {
      name: 'lease',
      required: true,
      check: async (): Promise<void> => {
        if (!built.lease.current.isValid()) throw new PartDown('this worker is not registered');
      },
    },
    {
      name: 'consumers',
      required: true,
      check: async (): Promise<void> => {
        const reason = built.strategy.whyNotPulling(NOT_PULLING_MS);
        if (reason !== null) throw new PartDown(reason);
      },
    },
  ];
  return { module: StepWorkerModule, imports: [HealthModule.with({ ready, log, drain }), metricsEndpoint()] };
}

void runService({
  service: 'step-worker',
  module: build,
  prepare: (app) => {
    if (worker) app.connectMicroservice({ strategy: worker.strategy });
  },
  started: async (app, { log }) => {
    // The port is open and says "not ready" until the database knows this worker.
    void worker
      ?.register()
      .then((registered) => (registered ? app.startAllMicroservices() : undefined))
      .catch((error: unknown) => log.fatal({ err: error }, 'cannot take turns'));
  },
});
