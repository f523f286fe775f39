import { Controller, type DynamicModule, Get, Res } from '@nestjs/common';
import { PrometheusController, PrometheusModule } from '@willsoto/nestjs-prometheus';
import { register } from 'prom-client';
import { Paced } from '#shared/runtime/paced';

const PATH = '/metrics';
/** Gauges that are called like counters; others say the same by type. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** `/metrics` with Node's own figures. They are one set a process, however many applications it holds. */
export function metricsEndpoint(): DynamicModule {
  return endpointOf(PrometheusController);
}

/** The same where the figures cost something: the text is made at most once a second, however many ask. */
export function pacedMetricsEndpoint(): DynamicModule {
  return endpointOf(PacedController);
}

function endpointOf(controller: typeof PrometheusController): DynamicModule {
  const collected = register.getSingleMetric('process_cpu_user_seconds_total') !== undefined;
  const endpoint = PrometheusModule.register({ path: PATH, controller, defaultMetrics: { enabled: !collected } });
  for (const name of MISNAMED) register.removeSingleMetric(name);
  return endpoint;
}

interface Reply {
  header(name: string, value: string): unknown;
}

@Controller()
class PacedController extends PrometheusController {
  private readonly text = new Paced(() => register.metrics());

  @Get()
  override async index(@Res({ passthrough: true }) reply: Reply): Promise<string> {
    reply.header('Content-Type', register.contentType);
    return this.text.get();
  }
}
