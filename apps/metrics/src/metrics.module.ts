import { Module, type DynamicModule } from '@nestjs/common';
import { NatsBus } from '#shared/bus/nats-bus';
import { FleetLook } from '#shared/runtime/fleet-look';
import { HealthModule } from '#shared/runtime/health/health.module';
import { natsPart, postgresPart } from '#shared/runtime/health/server-parts';
import { metricsEndpoint } from '#shared/runtime/metrics-endpoint';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import { createDatabase } from '#shared/store/database';
import { UsageReader } from '#shared/store/usage/usage-reader';
import { WorkerReader } from '#shared/store/worker-reader';
import { answerResourceStatus } from './resource-status-responder';

const BUS_CLOSE_LIMIT_MS = 2_000;

/** The metrics service. It starts without its servers, and is ready once both answer. */
@Module({})
export class MetricsModule {
  static with({ config, log, drain }: ServiceContext): DynamicModule {
    const database = createDatabase({
      url: config.databaseUrl,
      applicationName: 'sluice-metrics',
      poolSize: 4,
      onIdleError: (error) => log.warn({ err: error }, 'an idle connection to Postgres was lost'),
    });
    const giveUp = new AbortController();
    const connecting = connectWhenUp(database, log, giveUp.signal);
    drain.register('intake', 'connecting', () => giveUp.abort());
    drain.register('store', 'postgres', async () => {
      if (await connecting) await database.destroy();
    });
    const bus = NatsBus.open({ url: config.natsUrl, name: 'sluice-metrics', log });
    drain.register('bus', 'nats', () => bus.close(BUS_CLOSE_LIMIT_MS));
    const usage = new UsageReader(database);
    const fleet = new FleetLook(database, bus);
    drain.register('flush', 'looks at the fleet', () => fleet.close());
    const workers = new WorkerReader(database, config.leaseMs);
    drain.register('intake', 'resource status', answerResourceStatus(bus, { usage, fleet, workers }));
    return {
      module: MetricsModule,
      imports: [
        HealthModule.with({
          ready: [postgresPart(database, { required: true }), natsPart(bus, { required: true })],
          log,
          drain,
        }),
        metricsEndpoint(),
      ],
    };
  }
}
