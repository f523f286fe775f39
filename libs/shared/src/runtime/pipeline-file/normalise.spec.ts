import fc from 'fast-check';
import type { JsonObject } from '#shared/domain/json';
import { pipelineGraph, type PipelineDefinition } from '#shared/domain/pipeline';
import { readPipelineText } from '#shared/runtime/pipeline-file';
import type { PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import { PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';

const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,12}$/).filter((text) => !(text in Object.prototype));
const duration = fc.oneof(
  fc.integer({ min: 1, max: 10_000 }),
  fc.constantFrom('500ms', '1s', '1.5s', '10m', '2h', '1 d', '30'),
);
const optional = { requiredKeys: [] as [] };

const backOff = fc
  .record(
    {
      strategy: fc.constantFrom('fixed', 'linear', 'exponential'),
      initial: fc.integer({ min: 0, max: 100 }),
      max: fc.integer({ min: 100, max: 1_000 }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    },
    optional,
  )
  .map((back_off) => ({ back_off }));

const retry = fc
  .tuple(
    fc.record({ max_retries: fc.integer({ min: 0, max: 1_000 }) }, optional),
    fc.oneof(fc.constant({}), backOff, fc.record({ back_off_seconds: fc.integer({ min: 0, max: 1_000_000 }) })),
  )
  .map((parts) => Object.assign({}, ...parts) as JsonObject);

const handler = fc.oneof(
  fc.record({ uses: fc.constant('noop'), options: fc.record({ duration_ms: fc.nat(1_000) }, optional) }),
  fc.record({ uses: fc.constant('filesystem'), options: fc.constant({ ignore_patterns: ['*.log'] }) }),
);

const stepBody = fc
  .tuple(
    retry,
    handler,
    fc.record(
      {
        queue: fc.stringMatching(/^[a-z0-9_-]{1,12}$/).filter((text) => !(text in Object.prototype)),
        timeout: duration,
        concurrency: fc.integer({ min: 1, max: 100 }),
        isolation: fc.constantFrom('inline', 'process'),
        resources: fc.constant({ pool: 1 }),
      },
      optional,
    ),
  )
  .map((parts) => Object.assign({}, ...parts) as JsonObject);

/** Steps that need only earlier ones: of any two lists one is a valid pipeline. */
const steps = fc
  .uniqueArray(name, { minLength: 1, maxLength: 12 })
  .chain((names) =>
    fc.tuple(
      ...names.map((stepName, index) =>
        fc
          .tuple(stepBody, fc.option(fc.subarray(names.slice(0, index)), { nil: undefined }))
          .map(([body, needs]): JsonObject => ({ ...body, name: stepName, ...(needs ? { needs } : {}) })),
      ),
    ),
  );

const config = fc.record({
  retry,
  resources: fc.constant({ pool: { max_tokens: 3 } }),
  pipelines: fc
    .uniqueArray(name, { minLength: 1, maxLength: 3 })
    .chain((names) =>
      fc
        .tuple(...names.map((pipeline) => fc.record({ steps }).map((body) => [pipeline, body] as const)))
        .map((entries) => Object.fromEntries(entries)),
    ),
});

/** The file that says everything that the pipelines are, without relying on a default. */
function written({ pipelines, pools }: PipelineCatalog): string {
  const resources = Object.fromEntries([...pools].map(([pool, max_tokens]) => [pool, { max_tokens }]));
  return JSON.stringify({ resources, pipelines: Object.fromEntries([...pipelines].map(writtenPipeline)) });
}

function writtenPipeline([pipeline, { name: _, steps: list, ...rest }]: [string, PipelineDefinition]) {
  const all = list.map(({ back_off, timeout_ms, concurrency, ...step }) => ({
    ...step,
    back_off: {
      strategy: back_off.strategy,
      initial: `${back_off.initial_ms}ms`,
      factor: back_off.factor,
      max: `${back_off.max_ms}ms`,
      jitter: back_off.jitter,
    },
    ...(timeout_ms === null ? {} : { timeout: `${timeout_ms}ms` }),
    ...(concurrency === null ? {} : { concurrency }),
  }));
  return [pipeline, { ...rest, steps: all }] as const;
}

test('a valid file written out in full gives the same pipelines again', () => {
  fc.assert(
    fc.property(config, (file) => {
      const once = readPipelineText(JSON.stringify(file), 'f');
      expect(readPipelineText(written(once), 'f')).toEqual(once);
    }),
  );
});

test('the steps of a valid file are a graph', () => {
  fc.assert(
    fc.property(config, (file) => {
      for (const { steps: list } of readPipelineText(JSON.stringify(file), 'f').pipelines.values()) {
        expect(pipelineGraph(list).count).toBe(list.length);
      }
    }),
  );
});

test('any text gives pipelines or faults with a line, never another error', () => {
  const word = fc.constantFrom('pipelines:', 'steps:', '- ', '\n', '  ', '    ', 'name: ', 'noop', '{', '}', '[', ']');
  const more = fc.constantFrom(
    ', ',
    ': ',
    '&a ',
    '*a',
    '!x ',
    '"',
    "'",
    '|',
    '>',
    '?',
    '#',
    '\t',
    '---',
    'null',
    '1e999',
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(word, more), { maxLength: 40 }).map((words) => words.join('')),
  );
  fc.assert(
    fc.property(text, (file) => {
      try {
        readPipelineText(file, 'f');
      } catch (error) {
        if (!(error instanceof PipelineConfigError)) throw error;
        expect(error.faults.length).toBeGreaterThan(0);
        for (const fault of error.faults) expect(fault.line).toBeGreaterThanOrEqual(1);
      }
    }),
    { numRuns: 500 },
  );
});
