/** Words that no shell reads anything into. A leading `=` means a command's path to zsh. */
const PLAIN = /^[\w%+:,./@-][\w%+:,./@=-]*$/;

/** The text as one word of a POSIX shell. */
export const shellQuote = (text: string): string => (PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** A call of this gateway, as curl makes it. */
export interface CurlCall {
  readonly method: string;
  /** In full, with `location.origin`. */
  readonly url: string;
  /** Any JSON. */
  readonly body?: unknown;
  /** With a header for the key, which the shell takes from `SLUICE_API_KEY`. */
  readonly withKey?: boolean;
}

export function curlLine({ method, url, body, withKey = false }: CurlCall): string {
  const words = ['curl', '-s', '-X', shellQuote(method), shellQuote(url)];
  if (withKey) words.push('-H', '"authorization: Bearer $SLUICE_API_KEY"');
  // JSON never begins with the `@` that would make curl read a file.
  if (body !== undefined) words.push('-H', `'content-type: application/json'`, '-d', shellQuote(JSON.stringify(body)));
  return words.join(' ');
}

/** Where the command line tool looks for a gateway when nobody says where it is, and the same by another name. */
const DEFAULT_ORIGINS = ['http://127.0.0.1:3000', 'http://localhost:3000'];

/**
 * A call of the command line tool: `npx sluice ingest cancel ID`.
 * @param origin of the gateway that it is to call: named in the line where the tool would not find it by itself
 */
export function cliLine(args: readonly string[], origin: string): string {
  const where = DEFAULT_ORIGINS.includes(origin) ? [] : ['--url', origin];
  return ['npx', 'sluice', ...[...where, ...args].map(shellQuote)].join(' ');
}
