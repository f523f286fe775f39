import { type DynamicModule, Module } from '@nestjs/common';
import { FleetLook } from '#shared/runtime/fleet-look';
import { StatusPartsReader } from '#shared/runtime/status-parts';
import { UsageReader } from '#shared/store/usage/usage-reader';
import type { WorkerReader } from '#shared/store/worker-reader';
import type { GatewayParts } from '../gateway-parts';
import { ResourceHistoryAnswer } from './resource-history-answer';
import { ResourceHistoryController } from './resource-history.controller';
import { ResourceStatusAnswer } from './resource-status-answer';
import { ResourceStatusController } from './resource-status.controller';

/** `resource_status`: from the metrics service, or by the gateway's own connections; `resource_history`: by these alone. */
@Module({})
export class ResourceStatusModule {
  static register({ context, database, bus, pipelines, catalog }: GatewayParts, workers: WorkerReader): DynamicModule {
    const fleet = new FleetLook(database, bus, { pipelines, queues: catalog.queues });
    context.drain.register('flush', 'looks at the fleet', () => fleet.close());
    const usage = new UsageReader(database);
    const own = new StatusPartsReader({ usage, fleet, workers });
    return {
      module: ResourceStatusModule,
      controllers: [ResourceStatusController, ResourceHistoryController],
      providers: [
        { provide: ResourceStatusAnswer, useValue: new ResourceStatusAnswer(bus, own) },
        { provide: ResourceHistoryAnswer, useValue: new ResourceHistoryAnswer(usage) },
      ],
    };
  }
}
