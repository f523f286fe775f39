/** What has to be known of a step to place it. */
export interface GraphStep {
  readonly name: string;
  readonly needs: readonly string[];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedStep<T extends GraphStep> extends Point {
  readonly step: T;
  /** 0 for those that need nothing; one more than the last of those that it needs. */
  readonly layer: number;
}

export interface GraphLine {
  readonly from: string;
  readonly to: string;
  /** From the box's right side, through the gaps between the boxes on its way, to the other's left side. */
  readonly points: readonly Point[];
}

export interface GraphLayout<T extends GraphStep> {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedStep<T>[];
  readonly lines: readonly GraphLine[];
}

export const BOX = { width: 208, height: 54 } as const;
const GAP = { x: 52, y: 14 } as const;
const MARGIN = 8;
/** The room of a line that passes a layer. */
const LANE = 6;
const SWEEPS = 6;

/** A box, or the place where a line passes a layer. */
interface Slot {
  readonly key: string;
  readonly layer: number;
  readonly height: number;
  readonly before: string[];
  readonly after: string[];
  y: number;
}

/** Places steps in layers from left to right, so that every line goes forward and passes between boxes. */
export function layOut<T extends GraphStep>(steps: readonly T[]): GraphLayout<T> {
  const layerOf = layersOf(steps);
  const slots = new Map<string, Slot>();
  const paths: { readonly from: string; readonly to: string; readonly keys: readonly string[] }[] = [];
  for (const { name } of steps) slots.set(name, slot(name, layerOf.get(name) ?? 0, BOX.height));
  for (const { name, needs } of steps) {
    const to = layerOf.get(name) ?? 0;
    for (const need of needs) {
      const from = layerOf.get(need);
      if (from === undefined || from >= to) continue;
      const keys = [need];
      for (let layer = from + 1; layer < to; layer += 1) {
        const lane = slot(`${need}\n${name}\n${layer}`, layer, LANE);
        slots.set(lane.key, lane);
        keys.push(lane.key);
      }
      keys.push(name);
      paths.push({ from: need, to: name, keys });
      join(slots, keys);
    }
  }
  const height = placeRows(slots);
  return {
    width: 2 * MARGIN + columnX(Math.max(0, ...layerOf.values())) - MARGIN + BOX.width,
    height,
    boxes: steps.map((step) => {
      const layer = layerOf.get(step.name) ?? 0;
      return { step, layer, x: columnX(layer), y: slots.get(step.name)?.y ?? 0 };
    }),
    lines: paths.map(({ from, to, keys }) => ({ from, to, points: pointsOf(keys, slots) })),
  };
}

const columnX = (layer: number): number => MARGIN + layer * (BOX.width + GAP.x);

const slot = (key: string, layer: number, height: number): Slot => ({
  ...{ key, layer, height, before: [], after: [] },
  y: 0,
});

function join(slots: ReadonlyMap<string, Slot>, keys: readonly string[]): void {
  for (let at = 1; at < keys.length; at += 1) {
    const [left, right] = [keys[at - 1] ?? '', keys[at] ?? ''];
    slots.get(left)?.after.push(right);
    slots.get(right)?.before.push(left);
  }
}

/** The longest way to each. Names that there are none of, and circles, count for nothing. */
function layersOf(steps: readonly GraphStep[]): ReadonlyMap<string, number> {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const layers = new Map<string, number>();
  const open = new Set<string>();
  const layerOf = (name: string): number => {
    const known = layers.get(name);
    if (known !== undefined) return known;
    const step = byName.get(name);
    if (!step || open.has(name)) return -1;
    open.add(name);
    const layer = Math.max(-1, ...step.needs.map(layerOf)) + 1;
    open.delete(name);
    layers.set(name, layer);
    return layer;
  };
  for (const { name } of steps) layerOf(name);
  return layers;
}

/** Orders each layer by where the lines of its slots come from and go to, then stacks it. @returns the height */
function placeRows(slots: ReadonlyMap<string, Slot>): number {
  const layers: Slot[][] = [];
  for (const each of slots.values()) (layers[each.layer] ??= []).push(each);
  const rank = new Map<string, number>();
  const number = (layer: readonly Slot[]): void => layer.forEach(({ key }, at) => rank.set(key, at / layer.length));
  layers.forEach(number);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isForward = sweep % 2 === 0;
    for (const layer of isForward ? layers : layers.toReversed()) {
      const weight = new Map(layer.map((each) => [each.key, meanRank(each, isForward, rank)]));
      layer.sort((a, b) => (weight.get(a.key) ?? 0) - (weight.get(b.key) ?? 0));
      number(layer);
    }
  }
  const heightOf = (layer: readonly Slot[]): number =>
    layer.reduce((sum, each) => sum + each.height, 0) + GAP.y * Math.max(0, layer.length - 1);
  const tallest = Math.max(0, ...layers.map(heightOf));
  for (const layer of layers) {
    let y = MARGIN + (tallest - heightOf(layer)) / 2;
    for (const each of layer) {
      each.y = y;
      y += each.height + GAP.y;
    }
  }
  return tallest + 2 * MARGIN;
}

function meanRank(each: Slot, isForward: boolean, rank: ReadonlyMap<string, number>): number {
  const beside = isForward ? each.before : each.after;
  if (beside.length === 0) return rank.get(each.key) ?? 0;
  return beside.reduce((sum, key) => sum + (rank.get(key) ?? 0), 0) / beside.length;
}

function pointsOf(keys: readonly string[], slots: ReadonlyMap<string, Slot>): Point[] {
  return keys.flatMap((key, at): Point[] => {
    const each = slots.get(key);
    if (!each) return [];
    const [left, y] = [columnX(each.layer), each.y + each.height / 2];
    if (at === 0) return [{ x: left + BOX.width, y }];
    if (at === keys.length - 1) return [{ x: left, y }];
    return [
      { x: left, y },
      { x: left + BOX.width, y },
    ];
  });
}

/** The line as the path of an SVG: level at its ends, bent between the layers. */
export function pathOf(points: readonly Point[]): string {
  return points
    .map(({ x, y }, at) => {
      const before = points[at - 1];
      if (!before) return `M${x} ${y}`;
      const middle = (before.x + x) / 2;
      return before.y === y ? `L${x} ${y}` : `C${middle} ${before.y} ${middle} ${y} ${x} ${y}`;
    })
    .join(' ');
}
