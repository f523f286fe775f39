import { type DynamicModule, Module } from '@nestjs/common';
import { FleetLook } from '#shared/runtime/fleet-look';
import { StatusPartsReader } from '#shared/runtime/status-parts';
import { UsageReader } from '#shared/store/usage/usage-reader';
import type { WorkerReader } from '#shared/store/worker-reader';
import type { GatewayParts } from '../gateway-parts';
import { ResourceStatusAnswer } from './resource-status-answer';
import { ResourceStatusController } from './resource-status.controller';

/** `resource_status`: from the metrics service, or by the gateway's own connections. */
@Module({})
export class ResourceStatusModule {
  static register({ context, database, bus, pipelines, catalog }: GatewayParts, workers: WorkerReader): DynamicModule {
    const fleet = new FleetLook(database, bus, { pipelines, queues: catalog.queues });
    context.drain.register('flush', 'looks at the fleet', () => fleet.close());
    const own = new StatusPartsReader({ usage: new UsageReader(database), fleet, workers });
    return {
      module: ResourceStatusModule,
      controllers: [ResourceStatusController],
      providers: [{ provide: ResourceStatusAnswer, useValue: new ResourceStatusAnswer(bus, own) }],
    };
  }
}
