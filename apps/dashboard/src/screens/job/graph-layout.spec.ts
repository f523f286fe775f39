import fc from 'fast-check';
import { BOX, type GraphLayout, type GraphStep, layOut, pathOf } from './graph-layout';

const step = (name: string, ...needs: string[]): GraphStep => ({ name, needs });

/** Steps that need only such as come before them, shown in any order. */
const graphs = fc
  .array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 60 })
  .map((all) =>
    all.map((needs, at) => step(`s${at}`, ...new Set(at === 0 ? [] : needs.map((need) => `s${need % at}`)))),
  )
  .chain((steps) => fc.shuffledSubarray(steps, { minLength: steps.length }));

const boxOf = (layout: GraphLayout<GraphStep>, name: string) => {
  const box = layout.boxes.find((each) => each.step.name === name);
  if (!box) throw new Error(`there is no box of ${name}`);
  return box;
};

describe('the layout of steps', () => {
  it('puts a step one layer after the last that it needs', () => {
    const layout = layOut([step('a'), step('b', 'a'), step('c', 'a', 'b'), step('d', 'c', 'a'), step('e')]);
    expect(layout.boxes.map(({ step: { name }, layer }) => `${name}${layer}`)).toEqual(['a0', 'b1', 'c2', 'd3', 'e0']);
  });

  it('is empty without steps', () => {
    expect(layOut([])).toMatchObject({ boxes: [], lines: [] });
  });

  it('comes to an end with circles and with names that there are none of', () => {
    const layout = layOut([step('a', 'b'), step('b', 'a'), step('c', 'nowhere'), step('d', 'd')]);
    expect(layout.boxes).toHaveLength(4);
    expect(layout.lines.every(({ from, to }) => from !== to)).toBe(true);
  });

  it('has no line that goes backwards, and a line for each need', () => {
    fc.assert(
      fc.property(graphs, (steps) => {
        const layout = layOut(steps);
        expect(layout.lines).toHaveLength(steps.reduce((sum, { needs }) => sum + needs.length, 0));
        for (const { from, to, points } of layout.lines) {
          expect(boxOf(layout, from).layer).toBeLessThan(boxOf(layout, to).layer);
          points.slice(1).forEach((point, at) => expect(point.x).toBeGreaterThan(points[at]?.x ?? Infinity));
        }
      }),
    );
  });

  it('shows each step once, inside, and over no other', () => {
    fc.assert(
      fc.property(graphs, (steps) => {
        const layout = layOut(steps);
        expect(layout.boxes.map((box) => box.step)).toEqual(steps);
        for (const [at, box] of layout.boxes.entries()) {
          expect(box.x >= 0 && box.x + BOX.width <= layout.width).toBe(true);
          expect(box.y >= 0 && box.y + BOX.height <= layout.height).toBe(true);
          for (const other of layout.boxes.slice(at + 1)) {
            const isApart = box.x !== other.x || Math.abs(box.y - other.y) >= BOX.height;
            expect(isApart).toBe(true);
          }
        }
      }),
    );
  });

  it('leads a line between the boxes of the layers that it passes', () => {
    fc.assert(
      fc.property(graphs, (steps) => {
        const layout = layOut(steps);
        for (const { points } of layout.lines) {
          for (const { x, y } of points.slice(1, -1)) {
            const hits = layout.boxes.filter((box) => {
              return x >= box.x && x <= box.x + BOX.width && y > box.y && y < box.y + BOX.height;
            });
            expect(hits).toEqual([]);
          }
        }
      }),
    );
  });

  it('keeps lines that need not cross apart', () => {
    const layout = layOut([step('a'), step('b'), step('y', 'b'), step('x', 'a')]);
    const [a, b, x, y] = ['a', 'b', 'x', 'y'].map((name) => boxOf(layout, name).y);
    expect(Math.sign((a ?? 0) - (b ?? 0))).toBe(Math.sign((x ?? 0) - (y ?? 0)));
  });
});

describe('the path of a line', () => {
  it('is straight on one height and bent between two', () => {
    expect(
      pathOf([
        { x: 0, y: 5 },
        { x: 10, y: 5 },
        { x: 20, y: 9 },
      ]),
    ).toBe('M0 5 L10 5 C15 5 15 9 20 9');
  });
});
