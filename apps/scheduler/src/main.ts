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
import { Scheduler } from './scheduler';

@Module({})
class SchedulerModule {}

let scheduler: Scheduler | undefined;

async function build(context: ServiceContext): Promise<DynamicModule> {
  const { config, log, drain } = context;
  const { catalog: handlers } = await knownHandlers(config.handlersModule);
  const catalog = await loadPipelineFile(config.pipelineConfigPath, handlers);
  const database = createDatabase({
    url: config.databaseUrl,
    applicationName: 'sluice-scheduler',
    // Most loops keep a connection of their own.
    poolSize: 14,
    onIdleError: (error) => log.warn({ err: error }, 'a connection to Postgres was lost'),
  });
  const bus = NatsBus.open({ url: config.natsUrl, name: 'sluice-scheduler', log });
  const built = new Scheduler(context, database, bus, catalog, handlers);
  scheduler = built;
  drain.register('intake', 'loops', () => built.stop());
  drain.register('bus', 'nats', () => bus.close(1_000));
  drain.register('store', 'postgres', async () => {
    if (database.isInitialized) await database.destroy();
  });
  const ready = [
    postgresPart(database, { required: true }),
    natsPart(bus, { required: true }),
    {
      name: 'loops',
      required: true,
      check: async (): Promise<void> => {
        if (!built.isTurning()) throw new PartDown('no round has succeeded lately');
      },
    },
  ];
  return { module: SchedulerModule, imports: [HealthModule.with({ ready, log, drain }), metricsEndpoint()] };
}

void runService({
  service: 'scheduler',
  module: build,
  started: (_, { log }) => {
    void scheduler?.start().catch((error: unknown) => log.fatal({ err: error }, 'cannot start its loops'));
  },
});
