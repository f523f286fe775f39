/* Control characters of both sets and the line separators of Unicode: what could forge a line or steer a terminal. */
const CONTROLS = /[\p{Cc}\u2028\u2029]/gu;

/** The text with each control character written as \uXXXX, which in a line of JSON means the same; a final line end stays. */
export function escapeControls(text: string): string {
  const end = text.endsWith('\n') ? '\n' : '';
  const body = end === '' ? text : text.slice(0, -1);
  return body.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`) + end;
}
