import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController, HEALTH_PROBES, type HealthProbes } from '#shared/runtime/health/health.controller';
import type { HealthPart } from '#shared/runtime/health/health-part';
import { PartProbe } from '#shared/runtime/health/part-probe';
import type { Drain } from '#shared/runtime/drain';
import type { Logger } from '#shared/runtime/logger';

export interface HealthOptions {
  /** What a restart of the process would mend; default: nothing but a turning event loop. */
  readonly live?: readonly HealthPart[];
  /** What the service needs to do its work. */
  readonly ready: readonly HealthPart[];
  readonly log: Logger;
  readonly drain: Pick<Drain, 'draining'>;
}

/** `/health/live` and `/health/ready`. Terminus's own log is off: a part that goes down or up is logged once. */
@Module({})
export class HealthModule {
  static with({ live = [], ready, log, drain }: HealthOptions): DynamicModule {
    const probes: HealthProbes = {
      live: live.map((part) => new PartProbe(part, log)),
      ready: ready.map((part) => new PartProbe(part, log)),
      draining: () => drain.draining,
    };
    return {
      module: HealthModule,
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController],
      providers: [{ provide: HEALTH_PROBES, useValue: probes }],
    };
  }
}
