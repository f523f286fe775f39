import type { Watcher } from './tcp-proxy';

/**
 * Cuts the line when Postgres reports that a statement is done, before the client hears of it: its commit is there, its
 * answer is lost. Looks for CommandComplete (`C`, length, tag, NUL) of a tag.
 * @param tag e.g. /^INSERT 0 [1-9]/ or /^COMMIT$/
 * @param wanted which of them, from 1
 */
export function cutAfterCommand(tag: RegExp, wanted = 1): { readonly watcher: Watcher; readonly cuts: () => number } {
  let seen = 0;
  let cuts = 0;
  const watcher: Watcher = (piece, cut) => {
    for (const found of commandTags(piece)) {
      if (!tag.test(found)) continue;
      seen += 1;
      if (seen !== wanted) continue;
      cuts += 1;
      cut();
    }
  };
  return { watcher, cuts: () => cuts };
}

/** The tags of all CommandComplete messages in a piece. A message that is torn between two pieces is not seen. */
function commandTags(piece: Buffer): string[] {
  const tags: string[] = [];
  for (let at = piece.indexOf(0x43); at >= 0; at = piece.indexOf(0x43, at + 1)) {
    if (at + 5 > piece.length) break;
    const length = piece.readUInt32BE(at + 1);
    if (length < 6 || length > 64 || at + 1 + length > piece.length || piece[at + length] !== 0) continue;
    const text = piece.toString('latin1', at + 5, at + length);
    if (/^[A-Z]+[ A-Z0-9]*$/.test(text)) tags.push(text);
  }
  return tags;
}
