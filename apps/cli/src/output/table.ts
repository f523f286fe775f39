import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import type { OutStream } from '../cli-io';
import type { Colours } from './colours';

export interface Column<Item> {
  readonly title: string;
  cell(item: Item, colours: Colours): string;
  readonly align?: 'left' | 'right';
  /** Cut off on a terminal that is too narrow for the whole table. */
  readonly flexible?: boolean;
}

const GAP = 2;
const LEAST_FLEXIBLE = 16;

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: ' '.repeat(GAP) },
};

/** The items as lines of a table with a title for each column, ending with a line end. */
export function renderTable<Item>(
  columns: readonly Column<Item>[],
  items: readonly Item[],
  stream: OutStream,
  colours: Colours,
): string {
  const rows = items.map((item) => columns.map((column) => column.cell(item, colours)));
  const table = new Table({
    head: columns.map(({ title }) => colours.bold(title)),
    colAligns: columns.map(({ align = 'left' }) => align),
    colWidths: widths(columns, rows, stream),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows);
  return `${table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** null lets a column be as wide as it needs; a flexible one gets what is left of the terminal's width. */
function widths(columns: readonly Column<never>[], rows: readonly string[][], stream: OutStream): (number | null)[] {
  const needed = columns.map(({ title }, index) =>
    Math.max(
      ...[title, ...rows.map((row) => row[index] ?? '')].map((cell) => [...stripVTControlCharacters(cell)].length),
    ),
  );
  const total = needed.reduce((sum, width) => sum + width + GAP, -GAP);
  const over = stream.isTTY === true && stream.columns ? total - stream.columns : 0;
  return columns.map(({ flexible }, index) =>
    flexible && over > 0 ? Math.max(LEAST_FLEXIBLE, (needed[index] ?? 0) - over) : null,
  );
}
