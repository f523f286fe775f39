import { z } from 'zod';
import { catalogOf } from '#shared/contracts/handler-catalog';
import { readPipelineText } from '#shared/runtime/pipeline-file';
import { PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';

function faultsOf(text: string): string[] {
  try {
    readPipelineText(text, 'f');
  } catch (error) {
    if (error instanceof PipelineConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

/** A file whose steps begin on line 4. */
const withSteps = (...lines: string[]): string => ['pipelines:', '  p:', '    steps:', ...lines].join('\n');

const STEP = '      - { name: a, uses: noop }';

/** Text and the whole message, or the parts of it, one line for each fault. */
const TABLE: readonly [what: string, text: string, faults: readonly string[]][] = [
  [
    'an empty file',
    '',
    ['f:1: expected a mapping with "pipelines:", or with "steps:" for a single one, found an empty file'],
  ],
  ['only a comment', '# nothing\n', ['found an empty file']],
  ['a list', '- a\n', ['f:1: expected a mapping with "pipelines:"']],
  ['broken YAML', 'pipelines:\n  p: [1, 2\n', ['f:3: expected valid YAML, found a fault: Flow sequence']],
  ['a tab', 'pipelines:\n\tp: 1\n', ['f:2: expected spaces as indentation, found a tab']],
  ['several documents', `${withSteps(STEP)}\n---\na: 1\n`, ['f:5: expected one YAML document, found several']],
  [
    'a tag',
    'pipelines: !!js/function x\n',
    ['f:1: expected plain values without tags, found "tag:yaml.org,2002:js/function"'],
  ],
  [
    'an unknown alias',
    'pipelines: *x\n',
    [
      'f:1: pipelines: expected an anchor called "x" before this, found none',
      'pipelines: expected a mapping, found nothing',
    ],
  ],
  [
    'a key twice',
    `${withSteps(STEP)}\n    steps: []\n`,
    ['f:5: pipelines.p.steps: expected each key once, found it again (first on line 3)'],
  ],
  [
    'a list as a key',
    '? [a]\n: 1\npipelines: { p: { steps: [{ name: noop }] } }\n',
    ['f:1: expected keys that are plain words, found another kind of value'],
  ],
  [
    '__proto__',
    `__proto__: { a: 1 }\n${withSteps(STEP)}`,
    ['f:1: expected keys that are plain words, found __proto__'],
  ],
  [
    'constructor',
    `constructor: { a: 1 }\n${withSteps(STEP)}`,
    ['f:1: constructor: expected one of retry, resources, pipelines, found the key "constructor"'],
  ],
  [
    'constructor as a name',
    withSteps('      - { name: constructor, uses: noop }'),
    ['f:4: pipelines.p.steps[0].name: expected a name that JavaScript does not reserve, found "constructor"'],
  ],
  [
    'an infinite number',
    withSteps('      - { name: noop, max_retries: .inf }'),
    [
      'f:4: pipelines.p.steps[0].max_retries: expected a finite number, found Infinity',
      'max_retries: expected a number, found nothing',
    ],
  ],
  [
    'both forms',
    `steps: [{ name: noop }]\n${withSteps(STEP)}`,
    ['f:1: steps: expected either "pipelines:" or "steps:", found both'],
  ],
  ['no pipeline', 'retry: { max_retries: 1 }\n', ['f:1: pipelines: expected a mapping, found nothing']],
  ['an empty pipelines', 'pipelines: {}\n', ['f:1: pipelines: expected at least one pipeline, found an empty mapping']],
  [
    'an unknown key at the top',
    `retrys: {}\n${withSteps(STEP)}`,
    ['f:1: retrys: expected one of retry, resources, pipelines, found the key "retrys" (did you mean "retry"?)'],
  ],
  [
    'an unknown key of a pipeline',
    `pipelines:\n  p:\n    sourc: required\n    steps: [{ name: noop }]\n`,
    [
      'f:3: pipelines.p.sourc: expected one of description, source, steps, found the key "sourc" (did you mean "source"?)',
    ],
  ],
  [
    'an unknown key of a step',
    withSteps('      - name: noop', '        timeot: 3s'),
    [
      'f:5: pipelines.p.steps[0].timeot: expected one of name, uses, needs, queue, max_retries, back_off_seconds, back_off, timeout, concurrency, resources, isolation, options, found the key "timeot" (did you mean "timeout"?)',
    ],
  ],
  [
    'a bad name of a pipeline',
    'pipelines:\n  "a b": { steps: [{ name: noop }] }\n',
    ['f:2: pipelines.a b: expected a name of letters, digits, _ and -'],
  ],
  [
    'a bad name of a step',
    withSteps('      - { name: "-a", uses: noop }'),
    ['f:4: pipelines.p.steps[0].name: expected a name of letters'],
  ],
  [
    'a bad source',
    'pipelines:\n  p:\n    source: maybe\n    steps: [{ name: noop }]\n',
    ['f:3: pipelines.p.source: expected one of required, optional, found "maybe"'],
  ],
  [
    'no steps',
    'pipelines:\n  p:\n    steps: []\n',
    ['f:3: pipelines.p.steps: expected at least 1 items, found an empty list'],
  ],
  [
    'no list of steps',
    'pipelines:\n  p:\n    description: x\n',
    ['f:2: pipelines.p.steps: expected a list, found nothing'],
  ],
  [
    '64 steps',
    withSteps(...Array.from({ length: 64 }, (_, index) => `      - { name: s${index}, uses: noop }`)),
    ['f:3: pipelines.p.steps: expected at most 63 items, found a list of 64'],
  ],
  [
    'a step that is a word',
    withSteps('      - filesystem'),
    ['f:4: pipelines.p.steps[0]: expected a mapping, found "filesystem"'],
  ],
  [
    'a step without a name',
    withSteps('      - uses: noop'),
    ['f:4: pipelines.p.steps[0].name: expected text, found nothing'],
  ],
  [
    'a name twice',
    withSteps(STEP, '      - name: a', '        uses: noop'),
    ['f:5: pipelines.p.steps[1].name: expected a name that no other step has, found "a" again'],
  ],
  [
    'an unknown handler',
    withSteps('      - name: a', '        uses: noopp'),
    [
      'f:5: pipelines.p.steps[0].uses: expected a handler (noop, http, command, filesystem, documentation), found "noopp" (did you mean "noop"?)',
    ],
  ],
  [
    'a name that is no handler',
    withSteps('      - name: docs'),
    [
      'f:4: pipelines.p.steps[0].name: expected "uses" or a name that is a handler (noop, http, command, filesystem, documentation), found "docs"',
    ],
  ],
  [
    'an unknown need',
    withSteps(STEP, '      - { name: bee, uses: noop, needs: [b] }'),
    ['f:5: pipelines.p.steps[1].needs[0]: expected a step of this pipeline, found "b" (did you mean "a"?)'],
  ],
  [
    'a need of itself',
    withSteps('      - { name: a, uses: noop, needs: [a] }'),
    ['f:4: pipelines.p.steps[0].needs[0]: expected another step, found "a", the step itself'],
  ],
  [
    'a need twice',
    withSteps(STEP, '      - { name: b, uses: noop, needs: [a, a] }'),
    ['f:5: pipelines.p.steps[1].needs[1]: expected each step once, found "a" again'],
  ],
  [
    'a circle',
    withSteps(
      '      - { name: a, uses: noop, needs: [c] }',
      '      - { name: b, uses: noop, needs: [a] }',
      '      - { name: c, uses: noop, needs: [b] }',
    ),
    ['f:4: pipelines.p.steps[0].needs: expected steps that do not wait for each other, found the circle a → c → b → a'],
  ],
  [
    'a circle through the step before',
    withSteps('      - { name: a, uses: noop, needs: [b] }', '      - { name: b, uses: noop }'),
    ['found the circle a → b → a'],
  ],
  [
    'two circles',
    withSteps(
      ...['ab', 'ba', 'cd', 'dc'].map(([name, need]) => `      - { name: ${name}, uses: noop, needs: [${need}] }`),
    ),
    [
      'f:4: pipelines.p.steps[0].needs: expected steps that do not wait for each other, found the circle a → b → a',
      'f:6: pipelines.p.steps[2].needs: expected steps that do not wait for each other, found the circle c → d → c',
    ],
  ],
  [
    'a bad duration',
    withSteps('      - name: noop', '        timeout: soon'),
    [
      'f:5: pipelines.p.steps[0].timeout: expected a duration (500ms, 10s, 5m, 2h, 30d or a number of seconds), found "soon"',
    ],
  ],
  [
    'a negative duration',
    withSteps('      - { name: noop, timeout: -1 }'),
    ['f:4: pipelines.p.steps[0].timeout: expected a duration'],
  ],
  [
    'a timeout of nothing',
    withSteps('      - { name: noop, timeout: 0s }'),
    ['timeout: expected a duration above 0 and up to 24d, found "0s"'],
  ],
  [
    'a timeout beyond any timer',
    withSteps('      - { name: noop, timeout: 25d }'),
    ['timeout: expected a duration above 0 and up to 24d, found "25d"'],
  ],
  [
    'a bad queue',
    withSteps('      - { name: noop, queue: "a.b" }'),
    ['f:4: pipelines.p.steps[0].queue: expected a queue name of lower-case letters'],
  ],
  [
    'a wrong type',
    withSteps('      - { name: noop, concurrency: many }'),
    ['f:4: pipelines.p.steps[0].concurrency: expected a number, found "many"'],
  ],
  [
    'a fraction',
    withSteps('      - { name: noop, max_retries: 1.5 }'),
    ['f:4: pipelines.p.steps[0].max_retries: expected a whole number, found 1.5'],
  ],
  [
    'no concurrency',
    withSteps('      - { name: noop, concurrency: 0 }'),
    ['f:4: pipelines.p.steps[0].concurrency: expected at least 1, found 0'],
  ],
  [
    'a bad isolation',
    withSteps('      - { name: noop, isolation: thread }'),
    ['expected one of inline, process, found "thread"'],
  ],
  [
    'an unknown option',
    withSteps(
      '      - name: filesystem',
      '        options:',
      '          max_file_bytes: 5',
      '          ignore_pattern: []',
    ),
    [
      'f:7: pipelines.p.steps[0].options.ignore_pattern: expected one of ignore_patterns, max_file_bytes, found the key "ignore_pattern" (did you mean "ignore_patterns"?)',
    ],
  ],
  [
    'an option of a wrong type',
    withSteps(
      '      - name: filesystem',
      '        options:',
      '          ignore_patterns:',
      '            - a',
      '            - 5',
    ),
    ['f:8: pipelines.p.steps[0].options.ignore_patterns[1]: expected text, found 5'],
  ],
  [
    'options that are a list',
    withSteps('      - { name: noop, options: [] }'),
    ['f:4: pipelines.p.steps[0].options: expected a mapping, found an empty list'],
  ],
  [
    'an unknown pool',
    `resources: { llm: { max_tokens: 2 } }\n${withSteps('      - { name: noop, resources: { lm: 1 } }')}`,
    ['f:5: pipelines.p.steps[0].resources.lm: expected a pool (llm), found "lm" (did you mean "llm"?)'],
  ],
  [
    'a pool where there is none',
    withSteps('      - { name: noop, resources: { toString: 1 } }'),
    [
      'expected a name that JavaScript does not reserve',
      'expected a pool under "resources:" (there is none), found "toString"',
    ],
  ],
  [
    'more tokens than there are',
    `resources: { llm: { max_tokens: 2 } }\n${withSteps('      - { name: noop, resources: { llm: 3 } }')}`,
    ['f:5: pipelines.p.steps[0].resources.llm: expected at most the 2 tokens that the pool has, found 3'],
  ],
  [
    'an empty pool',
    `resources: { llm: { max_tokens: 0 } }\n${withSteps(STEP)}`,
    ['f:1: resources.llm.max_tokens: expected at least 1, found 0'],
  ],
  [
    'a factor below 1',
    `retry: { back_off: { factor: 0.5 } }\n${withSteps(STEP)}`,
    ['f:1: retry.back_off.factor: expected at least 1, found 0.5'],
  ],
  [
    'a jitter above 1',
    `retry: { back_off: { jitter: 20 } }\n${withSteps(STEP)}`,
    ['f:1: retry.back_off.jitter: expected at most 1, found 20'],
  ],
  [
    'a max below initial',
    `retry:\n  back_off:\n    initial: 10s\n    max: 5s\n${withSteps(STEP)}`,
    ['f:4: retry.back_off.max: expected a duration that is not shorter than initial, found "5s"'],
  ],
  [
    'an unknown strategy',
    `retry: { back_off: { strategy: random } }\n${withSteps(STEP)}`,
    ['f:1: retry.back_off.strategy: expected one of fixed, linear, exponential, found "random"'],
  ],
  [
    'two back-offs',
    withSteps('      - name: noop', '        back_off_seconds: 5', '        back_off: { initial: 1s }'),
    ['f:6: pipelines.p.steps[0].back_off: expected either back_off or back_off_seconds, found both'],
  ],
  [
    'a negative back-off',
    `retry: { back_off_seconds: -1 }\n${withSteps(STEP)}`,
    ['f:1: retry.back_off_seconds: expected at least 0, found -1'],
  ],
  [
    'short: an unknown option',
    'steps:\n  - name: noop\n    duration: 5\n',
    ['f:3: steps[0].duration: expected one of duration_ms, fail_attempts, fail_with, output, found the key "duration"'],
  ],
  [
    'short: a key of the full form',
    'steps:\n  - name: noop\n    needs: []\n',
    [
      'f:3: steps[0].needs: expected one of duration_ms, fail_attempts, fail_with, output, found the key "needs", which only steps under "pipelines:" have',
    ],
  ],
  [
    'short: an unknown handler',
    'steps:\n  - name: nop\n',
    ['f:2: steps[0].name: expected "uses" or a name that is a handler'],
  ],
];

describe('faults of a pipeline file', () => {
  test.each(TABLE)('%s', (_, text, expected) => {
    const faults = faultsOf(text);
    expect(faults).toHaveLength(expected.length);
    expected.forEach((part, index) => expect(faults[index]).toContain(part));
  });

  test('all are found at once, in the order of the file', () => {
    const faults = faultsOf(
      [
        'retry: { max_retries: -1 }',
        'pipelines:',
        '  one:',
        '    steps:',
        '      - { name: a, uses: noop, needs: [zz] }',
        '      - { name: a, uses: nope, timeout: x }',
        '      - { name: filesystem, options: { x: 1 }, x: 2 }',
        '  two:',
        '    steps: []',
      ].join('\n'),
    );
    expect(faults.map((fault) => fault.split(': ')[0])).toEqual([
      'f:1',
      'f:5',
      'f:6',
      'f:6',
      'f:6',
      'f:7',
      'f:7',
      'f:9',
    ]);
  });

  test('a refusal in the words of the handler', () => {
    const even = z.strictObject({ size: z.int().refine((size) => size % 2 === 0, 'must be even') });
    const words = { description: '', jobOptions: [], repeatable: true };
    const handlers = catalogOf([{ name: 'pairs', options: even, ...words }]);
    const read = () => readPipelineText('steps:\n  - name: pairs\n    size: 3\n', 'f', handlers);
    expect(read).toThrow('f:3: steps[0].size: expected a value that handler pairs takes (must be even), found 3');
  });

  test('say what is machine-readable too', () => {
    const read = () => readPipelineText('steps: 5\n', 'some.yml');
    expect(read).toThrow(
      expect.objectContaining({
        exitCode: 2,
        faults: [{ file: 'some.yml', line: 1, key: 'steps', expected: 'a list', found: '5' }],
      }) as Error,
    );
  });
});
