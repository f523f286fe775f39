import { Histogram } from 'prom-client';
import type { Sketch } from '#shared/domain/usage/sketch';

/** A line of `/metrics`. */
export interface Series {
  readonly metricName: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

type Described = Awaited<ReturnType<Histogram['get']>>;

/** A histogram whose values are kept elsewhere: they are read whenever it is asked for. */
export class StoredHistogram extends Histogram {
  constructor(
    private readonly about: { readonly name: string; readonly help: string },
    private readonly read: () => Promise<Series[]>,
  ) {
    super(about);
  }

  override async get(): Promise<Described> {
    // It is a word, whatever the types call it.
    const type = 'histogram' as unknown as Described['type'];
    return { ...this.about, type, aggregator: 'sum', collect: () => undefined, values: await this.read() };
  }

  /** What the registry asks for when it makes the text. */
  getForPromString(): Promise<Described> {
    return this.get();
  }
}

/**
 * The lines of a sketch.
 * @param bounds thresholds of the sketch, in its own unit: what is counted below them is exact
 * @param factor from the sketch's unit to that of the metric
 */
export function histogramSeries(
  name: string,
  labels: Readonly<Record<string, string>>,
  sketch: Sketch,
  bounds: readonly number[],
  factor: number,
): Series[] {
  const counts = sketch.cumulative(bounds);
  const rounded = (value: number): number => Number((value * factor).toPrecision(12));
  return [
    ...bounds.map((bound, index) => ({
      metricName: `${name}_bucket`,
      labels: { ...labels, le: rounded(bound) },
      value: counts[index] ?? 0,
    })),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: sketch.count },
    { metricName: `${name}_sum`, labels: { ...labels }, value: sketch.sum * factor },
    { metricName: `${name}_count`, labels: { ...labels }, value: sketch.count },
  ];
}
