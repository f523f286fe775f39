import { isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser } from 'yaml';
import type { Alias, Document, Node, Pair } from 'yaml';
import type { Json, JsonObject } from '#shared/domain/json';

export type Path = readonly (string | number)[];

export interface YamlFault {
  readonly path: Path;
  readonly line: number;
  readonly expected: string;
  readonly found: string;
}

/** A YAML document as plain JSON that knows on which line each part of it stands. */
export interface LocatedYaml {
  readonly value: Json;
  /** The line of a key or list item; of the nearest part around it when there is no such path. */
  lineOf(path: Path): number;
}

const MAX_DEPTH = 32;
/** What all aliases may expand to, with everything else in the file. */
const MAX_NODES = 50_000;
const MAX_ALIASES = 200;

/**
 * Reads one YAML 1.2 document. Nothing in it can do harm: no tags, no `__proto__`, keys are strings, depth and the
 * expansion of aliases are bounded. With a fault of syntax or size there is no document; other faults are all found.
 */
export function readYaml(text: string): { readonly document: LocatedYaml | null; readonly faults: YamlFault[] } {
  const lines = new LineCounter();
  const tooDeepAt = offsetOfTooDeep(text);
  if (tooDeepAt !== null) {
    const line = text.slice(0, tooDeepAt).split('\n').length;
    return { document: null, faults: [{ path: [], line, ...TOO_DEEP }] };
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, schema: 'core' });
  const broken = [...document.errors, ...document.warnings].map((error) => ({
    path: [],
    line: lines.linePos(error.pos[0]).line,
    ...describeSyntax(error.code, error.message),
  }));
  if (broken.length > 0) return { document: null, faults: broken.slice(0, 20) };
  const walk = new Walk(document, lines);
  const value = walk.read(document.contents, [], 0);
  const read = walk.overflowed ? null : { value, lineOf: (path: Path) => walk.lineOf(path) };
  return { document: read, faults: walk.faults };
}

const TOO_DEEP = { expected: `at most ${MAX_DEPTH} levels of nesting`, found: 'more' };

/** The composer of the library recurses: on a hostile file it would end the process, so depth is looked at first. */
function offsetOfTooDeep(text: string): number | null {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) continue;
    if (parser.stack.length > 2 * MAX_DEPTH) return parser.offset;
  }
  return null;
}

function describeSyntax(code: string, message: string): { expected: string; found: string } {
  switch (code) {
    case 'TAB_AS_INDENT':
      return { expected: 'spaces as indentation', found: 'a tab' };
    case 'MULTIPLE_DOCS':
      return { expected: 'one YAML document', found: 'several' };
    case 'TAG_RESOLVE_FAILED':
      return { expected: 'plain values without tags', found: `"${message.replace(/^Unresolved tag: /, '')}"` };
    default:
      return { expected: 'valid YAML', found: `a fault: ${message.split('\n')[0]}` };
  }
}

class Walk {
  readonly faults: YamlFault[] = [];
  private readonly lineByPath = new Map<string, number>();
  private readonly targets = new Map<Alias, Node>();
  private nodes = 0;
  /** Whether the rest of the document was left out for its size. */
  overflowed = false;

  constructor(
    private readonly document: Document,
    private readonly lines: LineCounter,
  ) {}

  lineOf(path: Path): number {
    for (let length = path.length; length > 0; length -= 1) {
      const line = this.lineByPath.get(JSON.stringify(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return 1;
  }

  read(node: unknown, path: Path, depth: number): Json {
    if (depth > MAX_DEPTH) return this.fault(path, TOO_DEEP.expected, TOO_DEEP.found);
    if (!this.count(path)) return null;
    if (isAlias(node)) return this.readAlias(node, path, depth);
    if (isMap(node)) return this.readMap(node.items, path, depth);
    if (isSeq(node)) {
      return node.items.map((item, index) => {
        const at = [...path, index];
        this.place(at, item);
        return this.read(item, at, depth + 1);
      });
    }
    return isScalar(node) ? this.readScalar(node.value, path) : null;
  }

  /** Looking up an alias goes through the document, so each is looked up once, and there may not be many. */
  private readAlias(alias: Alias, path: Path, depth: number): Json {
    const known = this.targets.get(alias);
    if (known === undefined && this.targets.size >= MAX_ALIASES) {
      return this.fault(path, `at most ${MAX_ALIASES} aliases`, 'more');
    }
    const target = known ?? alias.resolve(this.document);
    if (target === undefined) return this.fault(path, `an anchor called "${alias.source}" before this`, 'none');
    this.targets.set(alias, target);
    return this.read(target, path, depth + 1);
  }

  private readMap(pairs: readonly Pair[], path: Path, depth: number): JsonObject {
    const object: JsonObject = {};
    const firstLines = new Map<string, number>();
    for (const { key, value } of pairs) {
      const name = keyName(key);
      if (name === null || name === '__proto__') {
        this.faultAt(key, path, 'keys that are plain words', name ?? 'another kind of value');
        continue;
      }
      const first = firstLines.get(name);
      if (first !== undefined) {
        this.faultAt(key, [...path, name], 'each key once', `it again (first on line ${first})`);
        continue;
      }
      firstLines.set(name, this.lineAt(key));
      this.place([...path, name], key);
      object[name] = this.read(value, [...path, name], depth + 1);
    }
    return object;
  }

  private readScalar(value: unknown, path: Path): Json {
    if (typeof value === 'number' && !Number.isFinite(value)) return this.fault(path, 'a finite number', String(value));
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
  }

  private count(path: Path): boolean {
    this.nodes += 1;
    if (this.nodes <= MAX_NODES) return true;
    if (!this.overflowed) this.fault(path, `at most ${MAX_NODES} values, aliases written out`, 'more');
    this.overflowed = true;
    return false;
  }

  private fault(path: Path, expected: string, found: string): null {
    this.faults.push({ path, line: this.lineOf(path), expected, found });
    return null;
  }

  private faultAt(node: unknown, path: Path, expected: string, found: string): void {
    this.faults.push({ path, line: this.lineAt(node), expected, found });
  }

  private place(path: Path, node: unknown): void {
    if (this.nodes <= MAX_NODES) this.lineByPath.set(JSON.stringify(path), this.lineAt(node));
  }

  private lineAt(node: unknown): number {
    const ranged = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : null;
    return ranged ? this.lines.linePos(ranged[0]).line : 1;
  }
}

/** Numbers and booleans as keys are read as they are written, as JSON would have them; null for other kinds. */
function keyName(key: unknown): string | null {
  if (!isScalar(key)) return null;
  const { value } = key;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;
}
