import { Controller, Get, Header, HttpException, Inject, Res } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, type HealthIndicatorFunction } from '@nestjs/terminus';
import type { PartState } from '#shared/runtime/health/health-part';
import type { PartProbe } from '#shared/runtime/health/part-probe';

/** The probes of a service, by what they decide. */
export interface HealthProbes {
  readonly live: readonly PartProbe[];
  readonly ready: readonly PartProbe[];
  /** Whether the service is on its way out: then it is not ready, whatever its parts say. */
  readonly draining: () => boolean;
}

export const HEALTH_PROBES = Symbol('HealthProbes');

export interface HealthAnswer {
  /** `degraded`: it works without a part that it can do without. `down` and `draining` come with a 503. */
  readonly status: 'ok' | 'degraded' | 'down' | 'draining';
  readonly parts: Readonly<Record<string, PartState>>;
}

/** The part of a Fastify reply that is used here. */
interface Reply {
  status(code: number): unknown;
}

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    @Inject(HEALTH_PROBES) private readonly probes: HealthProbes,
  ) {}

  /** Whether the process is worth keeping: its event loop turns, and what it cannot live without works. */
  @Get('live')
  @Header('Cache-Control', 'no-store')
  async live(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(this.probes.live, false, reply);
  }

  /** Whether the service can do its work now. */
  @Get('ready')
  @Header('Cache-Control', 'no-store')
  async ready(@Res({ passthrough: true }) reply: Reply): Promise<HealthAnswer> {
    return this.answer(this.probes.ready, this.probes.draining(), reply);
  }

  private async answer(probes: readonly PartProbe[], draining: boolean, reply: Reply): Promise<HealthAnswer> {
    const states = new Map<PartProbe, PartState>();
    const worksWithout = await this.check(probes.map((probe) => this.indicatorOf(probe, states)));
    const parts = Object.fromEntries(
      probes.flatMap((probe) => {
        const state = states.get(probe);
        return state ? [[probe.part.name, state]] : [];
      }),
    );
    const anyDown = [...states.values()].some(({ state }) => state === 'down');
    const status = draining ? 'draining' : !worksWithout ? 'down' : anyDown ? 'degraded' : 'ok';
    if (status === 'down' || status === 'draining') reply.status(503);
    return { status, parts };
  }

  /** A part that is not required is up to terminus: what is said of it is in `states`. */
  private indicatorOf(probe: PartProbe, states: Map<PartProbe, PartState>): HealthIndicatorFunction {
    return async () => {
      const state = await probe.state();
      states.set(probe, state);
      const indicator = this.indicators.check(probe.part.name);
      return state.state === 'down' && state.required ? indicator.down() : indicator.up();
    };
  }

  /** Whether every required part works. Terminus says no by an HTTP exception, whose body is not ours. */
  private async check(indicators: HealthIndicatorFunction[]): Promise<boolean> {
    try {
      await this.health.check(indicators);
      return true;
    } catch (error) {
      if (error instanceof HttpException) return false;
      throw error;
    }
  }
}
