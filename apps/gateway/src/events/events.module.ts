import { type DynamicModule, Module } from '@nestjs/common';
import type { Logger } from '#shared/runtime/logger';
import { EventHub } from './event-hub';
import type { EventSource } from './event-source';
import { JobStatusGateway } from './job-status.gateway';
import { JobsGateway } from './jobs.gateway';
import { LIVE_LIMITS, type LiveFeed, type LiveLimits, WatchCount } from './live-feed';
import { LiveViews } from './live-views';
import { type JobSnapshots, SnapshotReader } from './snapshot-reader';
import { type SocketAccess, UpgradeGate } from './upgrade-gate';

export interface EventsOptions {
  readonly source: EventSource;
  readonly jobs: JobSnapshots;
  readonly access: SocketAccess;
  readonly log: Logger;
  /** Tests shorten the times. */
  readonly limits?: Partial<LiveLimits>;
}

/** The WebSockets `/v1/ingest/ws/status/{id}` and `/v1/ingest/ws`. The application needs a `JobSocketAdapter`. */
@Module({})
export class EventsModule {
  static register(options: EventsOptions): DynamicModule {
    const views = new LiveViews(feedFrom(options));
    return {
      module: EventsModule,
      providers: [
        JobStatusGateway,
        JobsGateway,
        { provide: LiveViews, useValue: views },
        { provide: UpgradeGate, useValue: new UpgradeGate(options.access, views) },
      ],
    };
  }
}

function feedFrom({ source, jobs, log, limits }: EventsOptions): LiveFeed {
  return {
    source,
    log,
    hub: new EventHub(source),
    reader: new SnapshotReader(jobs, log),
    limits: { ...LIVE_LIMITS, ...limits },
    watched: new WatchCount(),
  };
}
