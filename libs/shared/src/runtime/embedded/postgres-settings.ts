/** A postgresql.conf setting's name and its value, unquoted. */
export type PostgresSettings = Readonly<Record<string, string>>;

/**
 * Settings for a durable queue on a small machine: every commit on disk, loopback only, and hot tables that are
 * vacuumed often and without pauses.
 */
export const DURABLE_SETTINGS: PostgresSettings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  password_encryption: 'scram-sha-256',
  fsync: 'on',
  synchronous_commit: 'on',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  wal_compression: 'on',
  max_wal_size: '2GB',
  min_wal_size: '256MB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  autovacuum_naptime: '15s',
  autovacuum_vacuum_scale_factor: '0.01',
  autovacuum_vacuum_threshold: '1000',
  autovacuum_vacuum_cost_delay: '0',
  autovacuum_analyze_scale_factor: '0.02',
  idle_in_transaction_session_timeout: '60s',
  timezone: 'UTC',
  log_timezone: 'UTC',
  lc_messages: 'C',
  log_line_prefix: '%m [%p] ',
  log_min_messages: 'warning',
  log_checkpoints: 'off',
};

/** What makes a server for tests quick: a power cut may spoil its data, a killed process may not. */
export const THROWAWAY_SETTINGS: PostgresSettings = {
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '128MB',
  min_wal_size: '80MB',
};

/** The text of a configuration file. */
export function settingsFile(settings: PostgresSettings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  return `# Written at every start of the embedded server; changes made here are lost.\n${lines.join('\n')}\n`;
}
