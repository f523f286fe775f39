import { runService } from '#shared/runtime/service';
import { gatewayService } from './gateway-service';

void runService(gatewayService());
