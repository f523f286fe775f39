/* Control characters of both sets and the line separators of Unicode: what could forge a line or steer a terminal. */
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;

/** The text with each control character written as \uXXXX, which in a line of JSON means the same; a final line end stays. */
export function escapeControls(text: string): string {
  const end = text.endsWith('\n') ? '\n' : '';
  const body = end === '' ? text : text.slice(0, -1);
  return body.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`) + end;
}

const SECRETS: readonly [RegExp, string][] = [
  // the user and password of a URL
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@"'<>]{1,500}@/gi, '$1***@'],
  [/([?&](?:access_token|api_key|password|token)=)[^&\s"'#\\]+/gi, '$1***'],
  [/(\bBearer\s+)[A-Za-z0-9._~+/=-]+/gi, '$1***'],
];

/** The text without passwords of URLs, tokens in queries and bearer tokens. */
export function hideSecrets(text: string): string {
  return SECRETS.reduce((hidden, [pattern, mask]) => hidden.replace(pattern, mask), text);
}
