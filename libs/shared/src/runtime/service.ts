import 'reflect-metadata';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ConfigError, loadConfig, type ServiceConfig, type ServiceName } from '#shared/runtime/config';
import { Drain } from '#shared/runtime/drain';
import { armFailpoints } from '#shared/runtime/failpoints';
import { createLogger, type Logger } from '#shared/runtime/logger';
import { NestLogger } from '#shared/runtime/nest-logger';

/** What every part of a service may need of its process. */
export interface ServiceContext {
  readonly config: ServiceConfig;
  readonly log: Logger;
  readonly drain: Drain;
}

export interface ServiceDefinition {
  readonly service: ServiceName;
  /** The root module, built from what the process was told. What it opens it registers with the drain. */
  module(context: ServiceContext): Promise<DynamicModule | Type> | DynamicModule | Type;
  /** The HTTP server, where the default one will not do. */
  adapter?(context: ServiceContext): FastifyAdapter;
  /** Before the port opens: filters, guards, WebSockets, microservices. */
  prepare?(app: NestFastifyApplication, context: ServiceContext): Promise<void> | void;
  /** After the port is open: loops, consumers. */
  started?(app: NestFastifyApplication, context: ServiceContext): Promise<void> | void;
}

export interface RunningService {
  readonly app: NestFastifyApplication;
  /** Where it listens, for one who calls from this machine. */
  readonly url: string;
}

/**
 * Starts a service in a given context: builds the application, opens its port (config.host, config.port). The
 * application is closed by the drain, in stage `http`; Nest's own shutdown hooks run then.
 */
export async function startService(definition: ServiceDefinition, context: ServiceContext): Promise<RunningService> {
  const { config, log, drain } = context;
  for (const name of config.unknownVariables)
    log.warn({ variable: name }, 'nothing reads this variable: is it misspelt?');
  const module = await definition.module(context);
  const app = await NestFactory.create<NestFastifyApplication>(module, definition.adapter?.(context) ?? plainHttp(), {
    logger: new NestLogger(log),
    abortOnError: false,
  });
  drain.register('http', 'application', () => app.close());
  await definition.prepare?.(app, context);
  await app.listen(config.port, config.host);
  const url = urlOf(app, config.host);
  await definition.started?.(app, context);
  log.info({ url, node: process.version }, `${config.service} listens`);
  return { app, url };
}

/**
 * The whole life of a service's process: configuration, log, signals, start. Ends the process with 2 when it was told
 * something wrong, 1 when it cannot start, 0 when it was drained.
 */
export async function runService(definition: ServiceDefinition): Promise<void> {
  let config: ServiceConfig;
  try {
    config = loadConfig(definition.service);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`sluice ${definition.service}: ${error.message}\n`);
    process.exitCode = error.exitCode;
    return;
  }
  const log = createLogger({ service: config.service, level: config.logLevel });
  armFailpoints(config.failpoints, log);
  const drain = new Drain({ log, graceMs: config.graceMs });
  drain.listen();
  try {
    await startService(definition, { config, log, drain });
  } catch (error) {
    log.fatal({ err: error }, 'cannot start');
    await drain.run('start failed');
    process.exit(exitCodeOf(error));
  }
}

/** An error that knows the process's exit code says so; any other is a 1. */
function exitCodeOf(error: unknown): number {
  const code = error instanceof Error && 'exitCode' in error ? error.exitCode : undefined;
  return typeof code === 'number' ? code : 1;
}

/** Enough for /health and /metrics; nobody sends these services a body. */
function plainHttp(): FastifyAdapter {
  return new FastifyAdapter({ logger: false, bodyLimit: 16_384, requestTimeout: 30_000, keepAliveTimeout: 5_000 });
}

/** A wildcard address is no place to call; loopback reaches it. */
function urlOf(app: NestFastifyApplication, host: string): string {
  const address = app.getHttpServer().address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${callable.includes(':') ? `[${callable}]` : callable}:${port}`;
}
