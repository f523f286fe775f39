import pino, { type DestinationStream, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { hideSecrets } from '#shared/contracts/hidden-secrets';
import type { LogLevel } from '#shared/runtime/environment';
import { escapeControls } from '#shared/runtime/log-text';

export type { Logger };

/** JSON lines for machines, or lines for people. */
export type LogForm = 'json' | 'pretty';

export interface LoggerOptions {
  /** Said on every line. */
  readonly service: string;
  readonly level: LogLevel;
  /** Default: by whether standard output is a terminal. */
  readonly form?: LogForm;
  /** Where the lines go; default: standard output. */
  readonly out?: DestinationStream;
}

/** How this process logs. Of a thread, whose standard output is no file, only its main thread can tell. */
export const logForm = (): LogForm =>
  process.stdout.isTTY && process.env.NODE_ENV !== 'production' ? 'pretty' : 'json';

/** Fields that never show their value, wherever a line is given them. */
const SECRET_FIELDS = ['authorization', 'cookie', 'password', 'access_token', 'api_key', 'DATABASE_URL', 'NATS_URL'];

/**
 * The log of a process: one line an entry, with control characters escaped and secrets hidden, whatever the entry
 * holds. Lines are written at once, so that the last words before an exit are not lost.
 */
export function createLogger(options: LoggerOptions): Logger {
  const out = options.out ?? standardOutput();
  const form = options.form ?? logForm();
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '***' },
    },
    form === 'json' ? jsonLines(out) : linesForPeople(out),
  );
}

function standardOutput(): DestinationStream {
  const out = pino.destination({ fd: 1, sync: true });
  out.on('error', () => undefined); // whoever read the log is gone: no reason to end the work
  return out;
}

function jsonLines(out: DestinationStream): DestinationStream {
  return { write: (line) => out.write(escapeControls(hideSecrets(line))) };
}

function linesForPeople(out: DestinationStream): DestinationStream {
  const prettify = prettyFactory({
    colorize: process.env.NO_COLOR === undefined,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid',
  });
  return { write: (line) => out.write(prettify(escapeEntry(JSON.parse(hideSecrets(line))))) };
}

/** The entry with every string made safe for a terminal; only the stack of an error keeps its lines. */
function escapeEntry(value: unknown, key = ''): unknown {
  if (typeof value === 'string') {
    return key === 'stack' ? value.split('\n').map(escapeControls).join('\n') : escapeControls(value);
  }
  if (Array.isArray(value)) return value.map((part) => escapeEntry(part));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [escapeControls(name), escapeEntry(part, name)]),
  );
}
