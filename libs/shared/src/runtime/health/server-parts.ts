import { PartDown, type HealthPart } from '#shared/runtime/health/health-part';

/** What is asked of the database here; the store's DataSource fits. */
export interface CheckedDatabase {
  readonly isInitialized: boolean;
  query(statement: string): Promise<unknown>;
}

/** What is asked of the bus here; the bus's connection fits. */
export interface CheckedBus {
  readonly isConnected: boolean;
  readonly serverHasJetStream: boolean;
  ping(timeoutMs: number): Promise<unknown>;
}

const PING_LIMIT_MS = 1_000;

/** Postgres answers a statement. */
export function postgresPart(database: CheckedDatabase, options: { readonly required: boolean }): HealthPart {
  return {
    name: 'postgres',
    required: options.required,
    async check() {
      if (!database.isInitialized) throw new PartDown('not connected');
      await database.query('SELECT 1');
    },
  };
}

/** NATS answers, and has JetStream. */
export function natsPart(bus: CheckedBus, options: { readonly required: boolean }): HealthPart {
  return {
    name: 'nats',
    required: options.required,
    async check() {
      if (!bus.isConnected) throw new PartDown('not connected');
      if (!bus.serverHasJetStream) throw new PartDown('the server has no JetStream');
      await bus.ping(PING_LIMIT_MS);
    },
  };
}
