import type { DynamicModule } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ServiceContext, ServiceDefinition } from '#shared/runtime/service';
import { JobSocketAdapter } from './events/job-socket.adapter';
import { GatewayModule } from './gateway.module';
import { type GatewayParts, openGatewayParts } from './gateway-parts';
import { addCallHooks } from './http/call-hooks';
import { gatewayAdapter } from './http/gateway-adapter';

/** How the gateway starts. Each call is for one start. */
export function gatewayService(): ServiceDefinition {
  let parts: GatewayParts | undefined;
  return {
    service: 'gateway',
    adapter: gatewayAdapter,
    async module(context: ServiceContext): Promise<DynamicModule> {
      parts = await openGatewayParts(context);
      return GatewayModule.of(parts);
    },
    prepare(app: NestFastifyApplication, { config, log }: ServiceContext): void {
      if (!parts) throw new Error('the module is made first');
      const { access, notes, database } = parts;
      addCallHooks(app, { access, notes, log, storeIsThere: () => database.isInitialized });
      if (config.allowedOrigins.length > 0) app.enableCors({ origin: [...config.allowedOrigins], maxAge: 600 });
      app.useWebSocketAdapter(new JobSocketAdapter(app));
    },
  };
}
