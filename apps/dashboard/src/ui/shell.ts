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

/** A call of the command line tool: `npx sluice ingest cancel ID`. */
export const cliLine = (args: readonly string[]): string => ['npx', 'sluice', ...args.map(shellQuote)].join(' ');
