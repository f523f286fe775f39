import fc from 'fast-check';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { MAX_STEPS } from '#shared/domain/step-set';
import { pipelineOf, stepNamed } from './drafts';

interface NamedNeeds {
  readonly name: string;
  readonly needs: string[];
}

export interface RandomPipelines {
  readonly minSteps?: number;
  readonly maxSteps?: number;
}

/** Steps without a circle, listed in any order: each may need any of lower rank, few or many of them. */
export function randomSteps({ minSteps = 1, maxSteps = MAX_STEPS }: RandomPipelines = {}): fc.Arbitrary<NamedNeeds[]> {
  return fc
    .tuple(fc.integer({ min: minSteps, max: maxSteps }), fc.integer({ min: 0, max: 100 }))
    .chain(([count, density]) =>
      fc.tuple(
        fc.shuffledSubarray(
          Array.from({ length: count }, (_, rank) => rank),
          { minLength: count },
        ),
        fc.array(fc.integer({ min: 1, max: 100 }), {
          minLength: (count * (count - 1)) / 2,
          maxLength: (count * (count - 1)) / 2,
        }),
        fc.constant(density),
      ),
    )
    .map(([ranks, draws, density]) => {
      let drawn = 0;
      const byRank = ranks
        .toSorted((a, b) => a - b)
        .map((rank) => {
          const lower = Array.from({ length: rank }, (_, other) => other);
          const needs = lower.filter(() => (draws[drawn++] ?? 100) <= density).map((other) => `s${other}`);
          return { name: `s${rank}`, needs };
        });
      return ranks.flatMap((rank) => byRank[rank] ?? []);
    });
}

/** A pipeline of few steps, of which some are limited: by themselves, by a pool, by both. */
export function randomPipeline(
  settings: RandomPipelines & { limited?: boolean } = {},
): fc.Arbitrary<PipelineDefinition> {
  const { limited = false, maxSteps = 6 } = settings;
  const limits = fc.constantFrom(
    {},
    {},
    ...(limited
      ? [{ concurrency: 1 }, { resources: { shared: 1 } }, { concurrency: 2, resources: { shared: 2 } }]
      : []),
  );
  return fc
    .tuple(
      randomSteps({ ...settings, maxSteps }),
      fc.array(fc.record({ limit: limits, queue: fc.constantFrom('default', 'other'), retries: fc.nat(2) }), {
        minLength: maxSteps,
        maxLength: maxSteps,
      }),
    )
    .map(([steps, settingsOf]) =>
      pipelineOf(
        steps.map(({ name, needs }, index) => {
          const { limit = {}, queue = 'default', retries = 0 } = settingsOf[index] ?? {};
          return stepNamed(name, { needs, queue, max_retries: retries, ...limit });
        }),
      ),
    );
}
