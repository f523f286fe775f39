import { createHash } from 'node:crypto';
import { InvalidInput } from '#shared/domain/errors';

/** Where a page ended. */
export type PagePlace = readonly (string | number)[];

const DIGEST_LENGTH = 12;

/**
 * A place as clients get it: opaque, and good for the same question only.
 * @param question all that decides which items there are and in which order, the size of the page left out
 */
export function encodeCursor(question: unknown, place: PagePlace): string {
  const text = Buffer.from(JSON.stringify(place)).toString('base64url');
  return `${text}.${digestOf(question, text)}`;
}

/**
 * The place in a cursor.
 * @throws InvalidInput at `cursor` when it was changed, or given for another question
 */
export function decodeCursor(question: unknown, cursor: string): PagePlace {
  const [text = '', digest, ...rest] = cursor.split('.');
  if (rest.length > 0 || digest !== digestOf(question, text)) throw notOurs();
  const place = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown;
  if (!Array.isArray(place) || !place.every(isScalar)) throw notOurs();
  return place;
}

const isScalar = (value: unknown): value is string | number => typeof value === 'string' || typeof value === 'number';

/** Not a signature: a cursor opens nothing that the list does not show. It tells a slip from a cursor. */
function digestOf(question: unknown, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify(['cursor', question, text]))
    .digest('base64url')
    .slice(0, DIGEST_LENGTH);
}

const notOurs = (): InvalidInput =>
  new InvalidInput([{ path: 'cursor', message: 'is none that was given for these parameters' }]);
