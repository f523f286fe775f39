import { join } from 'node:path';
import type { EmbeddedServers } from './launcher-options';

export type ServiceKind = 'gateway' | 'scheduler' | 'metrics' | 'step-worker';

export interface StackPlan {
  /** For the servers' data; taken by one stack at a time. */
  readonly dataFolder: string;
  /** Address that every service listens at. */
  readonly host: string;
  /** 0 = a free one. */
  readonly gatewayPort: number;
  /** Worker processes. */
  readonly workers: number;
  readonly embedded: EmbeddedServers;
  /** What names servers and programs, and what the services get besides the servers' addresses and their ports. */
  readonly env: NodeJS.ProcessEnv;
  /** How long a service may take to finish what it runs. */
  readonly graceMs: number;
  /** True for a database that need not survive a power cut. */
  readonly throwaway: boolean;
  /** A service's compiled main file. */
  readonly mainOf: (kind: ServiceKind) => string;
  /** Brings the database's tables up to date. */
  readonly migrate: (databaseUrl: string) => Promise<void>;
  /** The launcher's own words. */
  readonly say: (line: string) => void;
  /** What a service or a server says. */
  readonly onLine: (name: string, line: string) => void;
}

/** Main files as the build lays them out: every app beside this one. */
export function builtMainOf(kind: ServiceKind): string {
  return join(__dirname, '..', '..', kind, 'src', 'main.js');
}

/** An address by which this machine reaches a service that listens at `host`. */
export function urlAt(host: string, port: number): string {
  const callable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${callable.includes(':') ? `[${callable}]` : callable}:${port}`;
}
