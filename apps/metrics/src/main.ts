import { MetricsModule } from './metrics.module';
import { runService } from '#shared/runtime/service';

void runService({ service: 'metrics', module: (context) => MetricsModule.with(context) });
