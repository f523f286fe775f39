const PLAIN = /^[\w@%+=:,./-]+$/;

/** A text as one word of a shell command. */
export const shellQuote = (text: string): string => (PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** A call as a command line; the key is not in it, only the name of the variable that holds it. */
export function curlLine({
  method,
  url,
  body,
  withKey,
}: {
  readonly method: string;
  readonly url: string;
  readonly body?: unknown;
  readonly withKey?: boolean;
}): string {
  const parts = ['curl', '-s', '-X', method, shellQuote(url)];
  if (withKey === true) parts.push('-H', '"authorization: Bearer $SLUICE_API_KEY"');
  if (body !== undefined) {
    parts.push('-H', shellQuote('content-type: application/json'), '-d', shellQuote(JSON.stringify(body)));
  }
  return parts.join(' ');
}

/** A call of the `sluice` command. */
export const cliLine = (args: readonly string[]): string => ['npx', 'sluice', ...args.map(shellQuote)].join(' ');
