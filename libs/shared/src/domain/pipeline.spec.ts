import fc from 'fast-check';
import {
  findCycle,
  isLimited,
  pipelineGraph,
  readySteps,
  restrictTo,
  type StepDefinition,
} from '#shared/domain/pipeline';
import { MAX_STEPS, stepSetOf, stepsIn } from '#shared/domain/step-set';
import { randomSteps } from '../../../../test/support/random-pipelines';
import { CHAIN, DIAMOND, pipelineOf, stepNamed } from '../../../../test/support/drafts';

const someSteps = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });

type Needs = readonly Pick<StepDefinition, 'name' | 'needs'>[];

/** What can be reached from a step by following arrows, one at a time: slow, and written apart from the code. */
function reachedFrom(start: string, arrows: ReadonlyMap<string, readonly string[]>): Set<string> {
  const found = new Set<string>();
  const left = [...(arrows.get(start) ?? [])];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    left.push(...(arrows.get(name) ?? []));
  }
  return found;
}

const namesIn = (steps: Needs, indices: bigint): Set<string> =>
  new Set(stepsIn(indices).map((index) => steps[index]?.name ?? '?'));

const upwards = (steps: Needs): Map<string, readonly string[]> =>
  new Map(steps.map((step) => [step.name, step.needs] as const));

const downwards = (steps: Needs): Map<string, readonly string[]> =>
  new Map(
    steps.map(({ name }) => [name, steps.filter((other) => other.needs.includes(name)).map((other) => other.name)]),
  );

describe('pipelineGraph', () => {
  it('of a diamond', () => {
    const graph = pipelineGraph(DIAMOND.steps);
    expect(graph).toEqual({
      count: 4,
      all: 0b1111n,
      needs: [0n, 0b0001n, 0b0001n, 0b0110n],
      ancestors: [0n, 0b0001n, 0b0001n, 0b0111n],
      descendants: [0b1110n, 0b1000n, 0b1000n, 0n],
      roots: 0b0001n,
      leaves: 0b1000n,
    });
  });

  it('knows what is above and below each step, in any order of the list', () => {
    fc.assert(
      fc.property(randomSteps(), (steps) => {
        const graph = pipelineGraph(steps);
        const up = upwards(steps);
        const down = downwards(steps);
        steps.forEach(({ name, needs }, index) => {
          expect(namesIn(steps, graph.needs[index] ?? 0n)).toEqual(new Set(needs));
          expect(namesIn(steps, graph.ancestors[index] ?? 0n)).toEqual(reachedFrom(name, up));
          expect(namesIn(steps, graph.descendants[index] ?? 0n)).toEqual(reachedFrom(name, down));
        });
      }),
    );
  });

  it('has a step among the ancestors of exactly its descendants', () => {
    fc.assert(
      fc.property(randomSteps({ maxSteps: 20 }), (steps) => {
        const { ancestors, descendants } = pipelineGraph(steps);
        steps.forEach((_, above) =>
          steps.forEach((__, below) => {
            const isAbove = stepsIn(ancestors[below] ?? 0n).includes(above);
            expect(stepsIn(descendants[above] ?? 0n).includes(below)).toBe(isAbove);
          }),
        );
      }),
    );
  });

  it('has as roots what needs nothing and as leaves what nothing needs', () => {
    fc.assert(
      fc.property(randomSteps(), (steps) => {
        const { roots, leaves, all } = pipelineGraph(steps);
        const needed = new Set(steps.flatMap((step) => step.needs));
        expect(namesIn(steps, roots)).toEqual(new Set(steps.filter((s) => s.needs.length === 0).map((s) => s.name)));
        expect(namesIn(steps, leaves)).toEqual(new Set(steps.filter((s) => !needed.has(s.name)).map((s) => s.name)));
        expect(stepsIn(all)).toHaveLength(steps.length);
      }),
    );
  });

  it('holds 63 steps in a row, each after the one before', () => {
    const names = Array.from({ length: MAX_STEPS }, (_, index) => `s${index}`);
    const { ancestors, descendants, leaves } = pipelineGraph(
      names.map((name, index) => ({ name, needs: index === 0 ? [] : [`s${index - 1}`] })),
    );
    expect(stepsIn(ancestors[62] ?? 0n)).toHaveLength(62);
    expect(stepsIn(descendants[0] ?? 0n)).toHaveLength(62);
    expect(leaves).toBe(2n ** 62n);
  });

  it('refuses no steps, 64 steps, a need that is not there and a circle', () => {
    const many = Array.from({ length: 64 }, (_, index) => ({ name: `s${index}`, needs: [] }));
    expect(() => pipelineGraph([])).toThrow('a pipeline has 1 to 63 steps, not 0');
    expect(() => pipelineGraph(many)).toThrow('not 64');
    expect(() => pipelineGraph([{ name: 'a', needs: ['gone'] }])).toThrow('a needs gone');
    expect(() => pipelineGraph([{ name: 'a', needs: ['a'] }])).toThrow('a → a');
  });
});

describe('findCycle', () => {
  it('finds none where each step needs only steps of lower rank', () => {
    fc.assert(fc.property(randomSteps(), (steps) => expect(findCycle(steps)).toBeNull()));
  });

  it('finds a circle that was put in, and says it step by step', () => {
    fc.assert(
      fc.property(randomSteps({ minSteps: 2 }), fc.nat(), fc.nat(), (steps, a, b) => {
        const [one, other] = [steps[a % steps.length], steps[b % steps.length]];
        if (!one || !other) return;
        const closed = steps.map((step) => {
          if (step === one) return { ...step, needs: [...step.needs, other.name] };
          return step === other ? { ...step, needs: [...step.needs, one.name] } : step;
        });
        const cycle = findCycle(closed) ?? [];
        expect(cycle.length).toBeGreaterThan(1);
        expect(cycle.at(-1)).toBe(cycle[0]);
        const needsOf = upwards(closed);
        cycle.slice(1).forEach((name, index) => expect(needsOf.get(cycle[index] ?? '')).toContain(name));
      }),
    );
  });
});

describe('readySteps', () => {
  it('are those, and only those, whose needs are all done, without the excepted', () => {
    fc.assert(
      fc.property(randomSteps(), someSteps, someSteps, (steps, doneBits, exceptBits) => {
        const graph = pipelineGraph(steps);
        const done = doneBits & graph.all;
        const doneNames = namesIn(steps, done);
        const ready = stepsIn(readySteps(graph, done, exceptBits));
        const expected = steps.flatMap((step, index) => {
          const excepted = stepsIn(exceptBits).includes(index);
          return !excepted && step.needs.every((need) => doneNames.has(need)) ? [index] : [];
        });
        expect(ready).toEqual(expected);
      }),
    );
  });

  it('lead from nothing to everything, each step once', () => {
    fc.assert(
      fc.property(randomSteps(), fc.infiniteStream(fc.nat()), (steps, choices) => {
        const graph = pipelineGraph(steps);
        let done = 0n;
        for (let turn = 0; turn < steps.length; turn += 1) {
          const ready = stepsIn(readySteps(graph, done, done));
          expect(ready.length).toBeGreaterThan(0);
          const chosen = ready[(choices.next().value ?? 0) % ready.length] ?? 0;
          done |= stepSetOf([chosen]);
        }
        expect(done).toBe(graph.all);
        expect(readySteps(graph, done, done)).toBe(0n);
      }),
    );
  });
});

describe('restrictTo', () => {
  it('keeps the named steps and all that they need, in their order, as they were', () => {
    fc.assert(
      fc.property(randomSteps(), fc.infiniteStream(fc.boolean()), (steps, coin) => {
        const pipeline = pipelineOf(steps.map((step) => stepNamed(step.name, { needs: step.needs })));
        const names = steps.filter(() => coin.next().value).map((step) => step.name);
        const up = upwards(steps);
        const expected = new Set(names.flatMap((name) => [name, ...reachedFrom(name, up)]));
        const restricted = restrictTo(pipeline, names);
        expect(restricted.steps).toEqual(pipeline.steps.filter((step) => expected.has(step.name)));
        expect({ ...restricted, steps: [] }).toEqual({ ...pipeline, steps: [] });
        if (names.length > 0) expect(() => pipelineGraph(restricted.steps)).not.toThrow();
      }),
    );
  });

  it('of the last step of a chain is the chain; of one branch of a diamond, its half', () => {
    expect(restrictTo(CHAIN, ['c'])).toEqual(CHAIN);
    expect(restrictTo(DIAMOND, ['b']).steps.map((step) => step.name)).toEqual(['a', 'b']);
  });
});

describe('isLimited', () => {
  it('says whether an attempt needs a token', () => {
    expect(isLimited(stepNamed('free'))).toBe(false);
    expect(isLimited(stepNamed('own', { concurrency: 1 }))).toBe(true);
    expect(isLimited(stepNamed('pool', { resources: { llm: 2 } }))).toBe(true);
  });
});
