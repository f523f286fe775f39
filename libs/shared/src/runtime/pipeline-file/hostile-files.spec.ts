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

describe('hostile files', () => {
  const bomb = (levels: number): string =>
    Array.from({ length: levels }, (_, level) =>
      level === 0
        ? 'a0: &a0 [x, x, x, x, x, x, x, x, x]'
        : `a${level}: &a${level} [${Array(9)
            .fill(`*a${level - 1}`)
            .join(', ')}]`,
    ).join('\n');

  const HOSTILE: readonly [what: string, text: string, fault: string][] = [
    ['a bomb of aliases', bomb(9), 'expected at most 50000 values, aliases written out, found more'],
    ['an alias of itself', 'pipelines: &a { p: *a }\n', 'levels of nesting'],
    ['very many aliases', `x: &x 1\ny: [${'*x, '.repeat(50_000)}]\n`, 'expected at most 200 aliases, found more'],
    ['very deep flow lists', '['.repeat(500_000), 'expected at most 32 levels of nesting, found more'],
    ['very deep block lists', '- '.repeat(500_000), 'expected at most 32 levels of nesting, found more'],
    ['very deep keys', '? '.repeat(500_000), 'expected at most 32 levels of nesting, found more'],
    [
      'very deep mappings',
      Array.from({ length: 1_400 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
      'expected at most 32',
    ],
    [
      'very many keys',
      Array.from({ length: 80_000 }, (_, index) => `k${index}: 1`).join('\n'),
      'expected at most 50000 values',
    ],
    ['very many documents', '---\n'.repeat(250_000), 'expected one YAML document, found several'],
  ];

  test.each(HOSTILE)('%s', (_, text, fault) => {
    expect(faultsOf(text).join('\n')).toContain(fault);
  });

  test('the message of very many faults stays readable', () => {
    const faults = faultsOf(Array.from({ length: 300 }, (_, index) => `k${index}: 1`).join('\n'));
    expect(faults).toHaveLength(101);
    expect(faults.at(-1)).toBe('… and 201 more');
  });

  test('__proto__ deep inside changes nothing', () => {
    faultsOf(
      'pipelines: { p: { steps: [{ name: noop, options: { __proto__: { polluted: 1 }, output: { __proto__: { polluted: 1 } } } }] } }',
    );
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
