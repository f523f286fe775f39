import { resolve } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ServiceContext, ServiceDefinition } from '#shared/runtime/service';
import { serveDashboard } from './dashboard/dashboard-files';
import { JobSocketAdapter } from './events/job-socket.adapter';
import { GatewayModule } from './gateway.module';
import { type GatewayParts, openGatewayParts } from './gateway-parts';
import { addCallHooks } from './http/call-hooks';
import { gatewayAdapter } from './http/gateway-adapter';

/** Where `npm run build` puts it, seen from where this file is compiled to. */
const DASHBOARD = resolve(__dirname, '../../../dashboard');

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
    async prepare(app: NestFastifyApplication, { config, log }: ServiceContext): Promise<void> {
      if (!parts) throw new Error('the module is made first');
      const { access, notes, database } = parts;
      addCallHooks(app, { access, notes, log, storeIsThere: () => database.isInitialized });
      if (config.allowedOrigins.length > 0) app.enableCors({ origin: [...config.allowedOrigins], maxAge: 600 });
      app.useWebSocketAdapter(new JobSocketAdapter(app));
      await serveDashboard(app, DASHBOARD);
    },
  };
}
