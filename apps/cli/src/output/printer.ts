import type { CliIo } from '../cli-io';
import { coloursFor, type Colours } from './colours';
import { renderTable, type Column } from './table';

export const FORMATS = ['table', 'json', 'jsonl', 'ids'] as const;
export type Format = (typeof FORMATS)[number];

/** How a kind of thing is shown. */
export interface View<Item> {
  readonly columns: readonly Column<Item>[];
  id(item: Item): string;
  /** What a single one looks like as text; the table with one row when left out. */
  detail?(
    item: Item,
    colours: Colours,
    table: <T>(columns: readonly Column<T>[], items: readonly T[]) => string,
  ): string;
}

/** Writes data to stdout in the format that was asked for, and words to stderr. */
export class Printer {
  private readonly colours: Colours;

  constructor(
    private readonly io: CliIo,
    readonly format: Format,
  ) {
    this.colours = coloursFor(io.stdout, io.env);
  }

  /** Several things. @param answer what `json` prints: the whole answer that they came in */
  list<Item>(items: readonly Item[], view: View<Item>, answer: unknown = { items }): void {
    if (this.format === 'json') return this.json(answer);
    if (this.format === 'jsonl') return items.forEach((item) => this.line(item));
    if (this.format === 'ids') return items.forEach((item) => this.out(`${view.id(item)}\n`));
    if (items.length > 0) this.out(this.table(view.columns, items));
  }

  /** One thing. */
  one<Item>(item: Item, view: View<Item>): void {
    if (this.format === 'json') return this.json(item);
    if (this.format === 'jsonl') return this.line(item);
    if (this.format === 'ids') return this.out(`${view.id(item)}\n`);
    const table = <T>(columns: readonly Column<T>[], items: readonly T[]): string => this.table(columns, items);
    this.out(view.detail ? view.detail(item, this.colours, table) : this.table(view.columns, [item]));
  }

  /** One value as a line of JSON. */
  line(value: unknown): void {
    this.out(`${JSON.stringify(value)}\n`);
  }

  /** Words for people. */
  say(text: string): void {
    this.io.stderr.write(`${text}\n`);
  }

  private table<Item>(columns: readonly Column<Item>[], items: readonly Item[]): string {
    return renderTable(columns, items, this.io.stdout, this.colours);
  }

  private json(value: unknown): void {
    this.out(`${JSON.stringify(value, null, 2)}\n`);
  }

  private out(text: string): void {
    this.io.stdout.write(text);
  }
}
