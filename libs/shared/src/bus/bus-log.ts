/** Where the bus says what happens to it; a `pino` logger fits. */
export interface BusLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
