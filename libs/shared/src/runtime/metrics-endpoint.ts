import type { DynamicModule } from '@nestjs/common';
import { PrometheusModule } from '@willsoto/nestjs-prometheus';
import { register } from 'prom-client';

/** `/metrics` with Node's own figures. They are one set a process, however many applications it holds. */
export function metricsEndpoint(): DynamicModule {
  const collected = register.getSingleMetric('process_cpu_user_seconds_total') !== undefined;
  return PrometheusModule.register({ path: '/metrics', defaultMetrics: { enabled: !collected } });
}
