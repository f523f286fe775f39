import type { Command } from 'commander';
import type { CliIo } from './cli-io';
import { UsageError } from './exit-codes';
import { Printer, type Format } from './output/printer';
import { RestClient } from './rest-client';

/** What one command works with. */
export interface Session {
  readonly io: CliIo;
  readonly client: RestClient;
  readonly printer: Printer;
}

/** Options that every command has. */
interface GlobalOptions {
  readonly output: Format;
  readonly url?: string;
}

const DEFAULT_URL = 'http://127.0.0.1:3000';

/** @throws UsageError when the gateway's address or the key cannot be used */
export function openSession(command: Command, io: CliIo): Session {
  const { output, url } = command.optsWithGlobals<GlobalOptions>();
  const gateway = { url: gatewayUrl(url ?? (io.env['SLUICE_URL'] || DEFAULT_URL)), apiKey: apiKey(io.env) };
  return { io, client: new RestClient(gateway, io.signal), printer: new Printer(io, output) };
}

function gatewayUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '') return url;
  throw new UsageError(`The gateway's address has to look like ${DEFAULT_URL}: check --url and SLUICE_URL.`);
}

function apiKey(env: CliIo['env']): string | null {
  const key = env['SLUICE_API_KEY']?.trim();
  if (key === undefined || key === '') return null;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new UsageError('SLUICE_API_KEY holds characters that a key cannot have.');
}
