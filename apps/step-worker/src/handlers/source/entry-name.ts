import { isUtf8 } from 'node:buffer';

/**
 * A name or path of the file system as text. Bytes that are not UTF-8 become U+FFFD and their two hexadecimal digits,
 * so that names which differ stay different; the bytes themselves are kept beside it, as `path_bytes`.
 */
export function textOfName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((size) => at + size <= bytes.length && isUtf8(bytes.subarray(at, at + size)));
    text += length ? bytes.toString('utf8', at, at + length) : `\uFFFD${bytes.toString('hex', at, at + 1)}`;
    at += length ?? 1;
  }
  return text;
}
