import type { DataSource } from 'typeorm';

export interface ConnectLog {
  info(message: string): void;
  warn(details: object, message: string): void;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Connects a DataSource however long that takes, so that a service can start before Postgres does.
 * @param signal ends the trying
 * @returns whether it is connected
 */
export async function connectWhenUp(database: DataSource, log: ConnectLog, signal: AbortSignal): Promise<boolean> {
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      await database.initialize();
      log.info('connected to Postgres');
      return true;
    } catch (error) {
      log.warn(
        { err: error, again_in_ms: pauseMs },
        'Postgres cannot be reached: is DATABASE_URL right, and is it up?',
      );
    }
    await pause(pauseMs, signal);
  }
  return false;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
