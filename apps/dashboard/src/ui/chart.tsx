import 'uplot/dist/uPlot.min.css';
import './chart.css';
import { type ReactNode, type RefObject, useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import {
  axisText,
  type ChartLine,
  chartSummary,
  DASHES,
  type Format,
  lonelyPoints,
  minuteTime,
  said,
  tableRows,
} from './chart-words';
import { useTheme } from './theme';

interface ChartProps {
  readonly title: string;
  /** Minutes, rising, in ms since 1970. The last one goes on. */
  readonly timesMs: readonly number[];
  readonly lines: readonly ChartLine[];
  readonly format: Format;
  /** Whether values are counts. */
  readonly whole?: boolean;
}

const HEIGHT = 170;
const AXIS_FONT = '11px system-ui, sans-serif';
const WHOLE_STEPS = [1, 2, 5].flatMap((digit) => Array.from({ length: 9 }, (_, power) => digit * 10 ** power));
WHOLE_STEPS.sort((a, b) => a - b);

/** Lines over time. The values of the minute under the pointer, or of the last one, are said above; all are in a table. */
export function Chart({ title, timesMs, lines, format, whole = false }: ChartProps): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const hovered = usePlot(place, { timesMs, lines, format, whole });
  const last = timesMs.length - 1;
  const shown = hovered !== null && hovered <= last ? hovered : last;
  const time = timesMs[shown];
  return (
    <figure className="chart">
      <figcaption>
        <span className="chart-title">{title}</span>
        {time !== undefined && (
          <span className="quiet number">
            {minuteTime(time)}
            {shown === last ? ', so far' : ''}
          </span>
        )}
      </figcaption>
      <ul className="chart-legend">
        {lines.map(({ label, tone, values }, nth) => (
          <li key={label}>
            <svg width="26" height="8" aria-hidden="true" className={`tone-${tone}`}>
              <line x1="0" y1="4" x2="26" y2="4" strokeDasharray={DASHES[nth % DASHES.length]?.join(' ')} />
            </svg>{' '}
            {label} <strong className="number">{said(values[shown], format)}</strong>
          </li>
        ))}
      </ul>
      <div ref={place} className="chart-plot" role="img" aria-label={chartSummary(title, { timesMs, lines, format })} />
      <ChartTable {...{ title, timesMs, lines, format }} />
    </figure>
  );
}

function ChartTable({ title, timesMs, lines, format }: ChartProps): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        As a table <span className="chart-hidden">: {title}</span>
      </summary>
      {isOpen && (
        <div className="scroll chart-table" tabIndex={0} role="group" aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">minute</th>
                {lines.map(({ label }) => (
                  <th key={label} scope="col" className="right">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {tableRows(timesMs, lines).map((index) => (
                <tr key={timesMs[index]}>
                  <th scope="row">{minuteTime(timesMs[index] ?? 0)}</th>
                  {lines.map(({ label, values }) => (
                    <td key={label} className="right">
                      {said(values[index], format)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

type Plotted = Required<Omit<ChartProps, 'title'>>;

/** Keeps a plot in the place: made anew when its lines are others. @returns the index of the minute under the pointer */
function usePlot(place: RefObject<HTMLDivElement | null>, plotted: Plotted): number | null {
  const [hovered, setHovered] = useState<number | null>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(plotted);
  const [theme] = useTheme();
  useEffect(() => {
    latest.current = plotted;
  });
  const look = plotted.lines.map(({ label, tone }) => `${tone} ${label}`).join('\n');
  useEffect(() => {
    const holder = place.current;
    if (!holder) return undefined;
    const width = Math.floor(holder.clientWidth);
    const made = new uPlot(optionsOf(holder, latest, setHovered, width), dataOf(latest.current), holder);
    plot.current = made;
    const resizes = new ResizeObserver(([entry]) => {
      if (entry) made.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT });
    });
    resizes.observe(holder);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const redraw = (): void => made.redraw(false);
    dark.addEventListener('change', redraw);
    return () => {
      dark.removeEventListener('change', redraw);
      resizes.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [place, look]);
  const { timesMs, lines } = plotted;
  useEffect(() => plot.current?.setData(dataOf({ timesMs, lines })), [timesMs, lines]);
  useEffect(() => plot.current?.redraw(false), [theme]);
  return hovered;
}

const dataOf = ({ timesMs, lines }: Pick<Plotted, 'timesMs' | 'lines'>): uPlot.AlignedData => [
  timesMs.map((ms) => ms / 1_000),
  ...lines.map(({ values }) => [...values]),
];

function optionsOf(
  holder: HTMLElement,
  latest: RefObject<Plotted>,
  onHover: (index: number | null) => void,
  width: number,
): uPlot.Options {
  // Asked when it is drawn: the theme may have changed.
  const colour = (token: string) => (): string => getComputedStyle(holder).getPropertyValue(`--${token}`).trim();
  const axis = { stroke: colour('quiet'), font: AXIS_FONT, grid: { stroke: colour('line'), width: 1 } };
  const ticks = { stroke: colour('line'), width: 1, size: 4 };
  const { lines, whole } = latest.current;
  return {
    ...{ width, height: HEIGHT, legend: { show: false } },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    scales: { x: { time: true }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
    axes: [
      {
        ...{ ...axis, ticks, size: 26, space: 60 },
        values: (_, splits) => splits.map((seconds) => minuteTime(seconds * 1_000)),
      },
      {
        ...{ ...axis, ticks, size: 58, space: 32, ...(whole && { incrs: WHOLE_STEPS }) },
        values: (_, splits) => splits.map((value) => axisText(value, latest.current.format)),
      },
    ],
    series: [
      {},
      ...lines.map(({ tone }, nth): uPlot.Series => ({
        ...{ stroke: colour(tone), width: 2, dash: [...(DASHES[nth % DASHES.length] ?? [])] },
        points: {
          ...{ show: true, size: 6, fill: colour(tone) },
          filter: (self, index) => lonelyPoints([...(self.data[index] ?? [])]),
        },
      })),
    ],
    hooks: { setCursor: [(self) => onHover(self.cursor.idx ?? null)] },
  };
}
