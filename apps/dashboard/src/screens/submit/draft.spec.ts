import type { JobView } from '#shared/contracts/job';
import {
  type Choice,
  chosenOf,
  type Draft,
  draftOf,
  EMPTY_DRAFT,
  isAt,
  optionPath,
  requestOf,
  runningSteps,
} from './draft';

const step = (name: string, needs: string[], job_options: string[] = []) => ({ name, needs, job_options });
const PIPELINE = {
  name: 'demo',
  description: '',
  source: 'optional',
  steps: [step('a', [], ['size']), step('b', ['a'], ['mode', 'size']), step('c', []), step('d', ['b', 'c'])],
} as unknown as Choice;
const draft = (fields: Partial<Draft>): Draft => ({ ...EMPTY_DRAFT, ...fields });

describe('what would be sent', () => {
  test('an untouched form names the pipeline alone', () => {
    expect(requestOf(EMPTY_DRAFT, PIPELINE)).toEqual({ body: { pipeline: 'demo' }, faults: [] });
  });

  test('everything that was said', () => {
    const { body, faults } = requestOf(
      draft({
        source: ' /srv/a ',
        branch: 'main',
        input: '{"n": 1}',
        steps: ['b'],
        options: new Map([
          [optionPath('a', 'size'), '7'],
          [optionPath('b', 'mode'), '"fast"'],
          [optionPath('d', 'size'), '1'],
        ]),
        priority: 'high',
        start: 'in',
        amount: '1.5',
        unitSeconds: 60,
        dependsOn: 'x, y\nz',
        onFailure: 'run',
        tags: 'one, two\n\n three ',
        description: 'why',
        key: 'k',
      }),
      PIPELINE,
    );
    expect(faults).toEqual([]);
    expect(body).toEqual({
      pipeline: 'demo',
      source: '/srv/a',
      branch: 'main',
      input: { n: 1 },
      steps: ['b'],
      options: { a: { size: 7 }, b: { mode: 'fast' } },
      priority: 'high',
      countdown: 90,
      depends_on: ['x', 'y', 'z'],
      on_dependency_failure: 'run',
      tags: ['one, two', 'three'],
      description: 'why',
      idempotency_key: 'k',
    });
  });

  test('a local time is sent in UTC', () => {
    const { body } = requestOf(draft({ start: 'at', at: '2030-01-31T18:30' }), PIPELINE);
    expect(body.eta).toBe(new Date(2030, 0, 31, 18, 30).toISOString());
  });

  test.each<[Partial<Draft>, string, string]>([
    [{ input: '{"a": }' }, 'input', 'line 1, column 7: expected a value, found "}"'],
    [{ input: '[1]' }, 'input', 'has to be a JSON object'],
    [{ options: new Map([['options.b.mode', 'fast']]) }, 'options.b.mode', 'line 1, column 1: expected a value'],
    [{ steps: [] }, 'steps', 'at least one'],
    [{ start: 'at' }, 'eta', 'missing'],
    [{ start: 'in', amount: '-1' }, 'countdown', '0 or more'],
    [{ start: 'in', amount: 'soon' }, 'countdown', '0 or more'],
  ])('%j is told at %s', (fields, path, words) => {
    const { faults } = requestOf(draft(fields), PIPELINE);
    expect(faults).toEqual([expect.objectContaining({ path, message: expect.stringContaining(words) as string })]);
  });

  test('a source where the pipeline wants one', () => {
    const { faults } = requestOf(EMPTY_DRAFT, { ...PIPELINE, source: 'required' });
    expect(faults).toEqual([expect.objectContaining({ path: 'source', isMissing: true })]);
  });
});

test('steps bring what they need', () => {
  const names = (chosen: string[] | null) => runningSteps(chosen, PIPELINE).map(({ name }) => name);
  expect(names(null)).toEqual(['a', 'b', 'c', 'd']);
  expect(names(['d'])).toEqual(['a', 'b', 'c', 'd']);
  expect(names(['b'])).toEqual(['a', 'b']);
  expect(names([])).toEqual([]);
});

test('the pipeline that is meant', () => {
  const repository = { ...PIPELINE, name: 'repository' };
  expect(chosenOf(EMPTY_DRAFT, [PIPELINE, repository])).toBe(repository);
  expect(chosenOf(EMPTY_DRAFT, [PIPELINE])).toBe(PIPELINE);
  expect(chosenOf(draft({ pipeline: 'gone' }), [PIPELINE])).toBeUndefined();
});

test('what is wrong within a field belongs to it', () => {
  expect(isAt('input.a.b', 'input')).toBe(true);
  expect(isAt('input', 'input')).toBe(true);
  expect(isAt('inputs', 'input')).toBe(false);
});

test('the same job once more', () => {
  const job = {
    ...{ id: 'i', pipeline: 'demo', source: null, branch: null, input: { n: 1 }, priority: 'low', tags: ['x', 'y, z'] },
    ...{ description: 'why', steps: [{ name: 'a' }, { name: 'b' }], depends_on: ['q'], idempotency_key: 'k' },
  } as unknown as JobView;
  const again = draftOf(job, PIPELINE);
  expect(again).toMatchObject({ steps: ['a', 'b'], key: '', dependsOn: '', start: 'now', filledFrom: 'i' });
  expect(requestOf(again, PIPELINE)).toEqual({
    faults: [],
    body: {
      ...{ pipeline: 'demo', input: { n: 1 }, steps: ['a', 'b'], priority: 'low', tags: ['x', 'y, z'] },
      description: 'why',
    },
  });
  expect(draftOf({ ...job, steps: PIPELINE.steps as never }, PIPELINE).steps).toBeNull();
});
