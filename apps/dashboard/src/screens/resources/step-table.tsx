import { type FocusEvent, type ReactNode, useState } from 'react';
import { Link } from 'wouter';
import { useParameters } from '../../ui/address';
import { said } from '../../ui/chart-words';
import {
  type Column,
  DEFAULT_ORDER,
  FIGURES,
  inPlace,
  mostOf,
  type Order,
  orderAfter,
  orderOf,
  orderText,
  sorted,
  type StepRow,
} from './step-rows';

/** What attempts of each step came to; a click on a heading sorts. */
export function StepTable({ rows }: { readonly rows: readonly StepRow[] }): ReactNode {
  const [parameters, change] = useParameters();
  const order = orderOf(parameters.get('sort'));
  const { shown, ...holding } = useSteadyRows(rows, order);
  const sortBy = (column: Column): void => {
    const text = orderText(orderAfter(order, column));
    change({ sort: text === orderText(DEFAULT_ORDER) ? '' : text });
  };
  const most = new Map(FIGURES.map(({ column }) => [column, rows.length > 1 ? mostOf(rows, column)?.[column] : null]));
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Steps" {...holding}>
      <table className="figures">
        <thead>
          <tr>
            <Heading {...{ order, sortBy }} column="name" title="step" hint="pipeline/step" />
            {FIGURES.map(({ column, title, hint }) => (
              <Heading key={column} {...{ order, sortBy, column, title, hint }} />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr key={row.name}>
              <th scope="row">
                <Link className="row" href={`/jobs?${new URLSearchParams({ pipeline: row.pipeline })}`}>
                  {row.name}
                </Link>
              </th>
              {FIGURES.map(({ column, format }) => {
                const isMost = row[column] !== null && row[column] === most.get(column);
                return (
                  <td key={column} className="right" title={isMost ? 'the most of all steps' : undefined}>
                    {isMost ? <strong className="most">{said(row[column], format)}</strong> : said(row[column], format)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface HeadingProps {
  readonly column: Column;
  readonly title: string;
  readonly hint: string;
  readonly order: Order;
  readonly sortBy: (column: Column) => void;
}

function Heading({ column, title, hint, order, sortBy }: HeadingProps): ReactNode {
  const isOrdered = order.column === column;
  return (
    <th
      scope="col"
      className={column === 'name' ? '' : 'right'}
      aria-sort={isOrdered ? (order.isDown ? 'descending' : 'ascending') : undefined}
    >
      <button type="button" className="sorter" title={hint} onClick={() => sortBy(column)}>
        {title}
        <span aria-hidden="true">{isOrdered ? (order.isDown ? ' ▾' : ' ▴') : ''}</span>
      </button>
    </th>
  );
}

/** The rows in their order; while the pointer or the focus is among them they stay where they are, whatever comes in. */
function useSteadyRows(rows: readonly StepRow[], order: Order) {
  const [held, setHeld] = useState<{ readonly order: string; readonly names: readonly string[] } | null>(null);
  const fresh = sorted(rows, order);
  const hold = (): void => setHeld({ order: orderText(order), names: shown.map(({ name }) => name) });
  // Another order is asked for: from now on this one is held.
  if (held && held.order !== orderText(order)) {
    setHeld({ order: orderText(order), names: fresh.map(({ name }) => name) });
  }
  const shown = held && held.order === orderText(order) ? inPlace(fresh, held.names) : fresh;
  const release = (): void => setHeld(null);
  const onBlur = ({ currentTarget, relatedTarget }: FocusEvent<HTMLElement>): void => {
    if (!currentTarget.contains(relatedTarget)) release();
  };
  return { shown, onPointerEnter: hold, onPointerLeave: release, onFocus: hold, onBlur };
}
