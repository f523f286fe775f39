import { type DynamicModule, Module } from '@nestjs/common';
import { NatsBus } from '#shared/bus/nats-bus';
import { HealthModule } from '#shared/runtime/health/health.module';
import { type HealthPart, PartDown } from '#shared/runtime/health/health-part';
import { natsPart, postgresPart } from '#shared/runtime/health/server-parts';
import { pacedMetricsEndpoint } from '#shared/runtime/metrics-endpoint';
import type { ServiceContext } from '#shared/runtime/service';
import { connectWhenUp } from '#shared/store/connect';
import { createDatabase } from '#shared/store/database';
import { MetricsService } from './metrics-service';
import { offerFigures } from './prometheus-figures';
import { answerResourceStatus } from './resource-status-responder';

const BUS_CLOSE_LIMIT_MS = 2_000;

/** The metrics service. It starts without its servers, and is ready once both answer and its own work goes on. */
@Module({})
export class MetricsModule {
  static with(context: ServiceContext): DynamicModule {
    const { config, log, drain } = context;
    const database = createDatabase({
      url: config.databaseUrl,
      applicationName: 'sluice-metrics',
      poolSize: 8,
      onIdleError: (error) => log.warn({ err: error }, 'an idle connection to Postgres was lost'),
    });
    const bus = NatsBus.open({ url: config.natsUrl, name: 'sluice-metrics', log });
    const service = new MetricsService(context, database, bus);
    const giveUp = new AbortController();
    const connecting = connectWhenUp(database, log, giveUp.signal);
    const starting = connecting.then((isConnected) => {
      if (isConnected && !giveUp.signal.aborted) service.start();
    });
    drain.register('intake', 'telemetry', async () => {
      giveUp.abort();
      await starting;
      await service.stopIntake();
    });
    drain.register('intake', 'resource status', answerResourceStatus(bus, service));
    drain.register('work', 'loops', () => service.stopLoops());
    drain.register('flush', 'looks at the fleet', () => service.close());
    drain.register('bus', 'nats', () => bus.close(BUS_CLOSE_LIMIT_MS));
    drain.register('store', 'postgres', async () => {
      if (await connecting) await database.destroy();
    });
    offerFigures(service);
    const required = { required: true };
    const ready = [postgresPart(database, required), natsPart(bus, required), ...ownParts(service)];
    return {
      module: MetricsModule,
      imports: [HealthModule.with({ ready, log, drain }), pacedMetricsEndpoint()],
    };
  }
}

function ownParts(service: MetricsService): HealthPart[] {
  return [
    {
      name: 'telemetry',
      required: true,
      async check() {
        if (!service.isPulling()) throw new PartDown('nothing can be pulled, or stored');
      },
    },
    {
      name: 'loops',
      required: true,
      async check() {
        if (!service.isTurning()) throw new PartDown('no round has succeeded lately');
      },
    },
  ];
}
