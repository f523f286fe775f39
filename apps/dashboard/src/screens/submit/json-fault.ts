/** Where a text stops being JSON, and why, in words. */
export interface JsonFault {
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const SPACE = /[ \t\n\r]*/y;
const LITERAL = /true|false|null/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// All but quote, backslash and the control characters that JSON wants to be escaped.
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const STRING_SO_FAR = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y;

/**
 * Browsers word the errors of JSON.parse each in their own way, some without a place: this finds it.
 * @returns null when the text is JSON
 */
export function jsonFault(text: string): JsonFault | null {
  const found = new Scan(text).fault();
  if (found === null) return null;
  const before = text.slice(0, found.at).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, message: found.message };
}

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or end' | 'nothing';

const WORDS: Readonly<Record<Expected, string>> = {
  value: 'expected a value',
  'value or ]': 'expected a value or ]',
  key: 'expected a name in double quotes',
  'key or }': 'expected a name in double quotes or }',
  colon: 'expected a colon',
  'comma or end': 'expected a comma or the closing bracket',
  nothing: 'expected the end',
};

/** Reads on without recursion: a text may nest deeper than the stack reaches. */
class Scan {
  private at = 0;
  private expected: Expected = 'value';
  /** The brackets that will close those that are open. */
  private readonly open: ('}' | ']')[] = [];

  constructor(private readonly text: string) {}

  fault(): { readonly at: number; readonly message: string } | null {
    for (;;) {
      this.take(SPACE);
      if (this.at === this.text.length && this.expected === 'nothing') return null;
      if (this.step()) continue;
      const char = this.text.slice(this.at, this.at + 1);
      if (char === '"' && this.expected !== 'nothing') this.take(STRING_SO_FAR);
      return { at: this.at, message: this.words(char) };
    }
  }

  private words(char: string): string {
    const takesString = this.expected.startsWith('value') || this.expected.startsWith('key');
    if (char === '"' && takesString) return 'this string is not closed, or holds what has to be escaped';
    const found = char === '' ? 'the text ends' : `found ${JSON.stringify(char)}`;
    return `${WORDS[this.expected]}, ${found}`;
  }

  /** One token. @returns false when it is not what is expected */
  private step(): boolean {
    switch (this.expected) {
      case 'value or ]':
        return this.close(']') || this.value();
      case 'value':
        return this.value();
      case 'key or }':
        return this.close('}') || this.key();
      case 'key':
        return this.key();
      case 'colon':
        return this.char(':') && this.expect('value');
      case 'comma or end': {
        const end = this.open.at(-1);
        if (end !== undefined && this.close(end)) return true;
        return this.char(',') && this.expect(end === '}' ? 'key' : 'value');
      }
      case 'nothing':
        return false;
    }
  }

  private value(): boolean {
    if (this.char('{')) {
      this.open.push('}');
      return this.expect('key or }');
    }
    if (this.char('[')) {
      this.open.push(']');
      return this.expect('value or ]');
    }
    return (this.take(STRING) || this.take(NUMBER) || this.take(LITERAL)) && this.afterValue();
  }

  private key(): boolean {
    return this.take(STRING) && this.expect('colon');
  }

  private close(bracket: '}' | ']'): boolean {
    if (!this.char(bracket)) return false;
    this.open.pop();
    return this.afterValue();
  }

  private afterValue(): boolean {
    return this.expect(this.open.length === 0 ? 'nothing' : 'comma or end');
  }

  private expect(next: Expected): true {
    this.expected = next;
    return true;
  }

  private char(wanted: string): boolean {
    if (!this.text.startsWith(wanted, this.at)) return false;
    this.at += 1;
    return true;
  }

  private take(token: RegExp): boolean {
    token.lastIndex = this.at;
    const [found] = token.exec(this.text) ?? [];
    if (found === undefined) return false;
    this.at += found.length;
    return true;
  }
}
