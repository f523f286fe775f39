import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { catalogOf, HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { patternProblem } from '#shared/contracts/handlers/ignore-patterns';

function definition(name: string, jobOptions: string[] = []): HandlerDefinition {
  return {
    name,
    description: name,
    options: z.strictObject({ depth: z.int().default(1) }),
    jobOptions,
    repeatable: true,
  };
}

/** Options without a default. */
const REQUIRED: Readonly<Record<string, object>> = {
  http: { url: 'http://127.0.0.1:1/' },
  command: { command: ['true'] },
};

describe('the handler catalog', () => {
  it.each([...HANDLER_CATALOG.values()])('$name fills in its defaults and refuses unknown options', (handler) => {
    const required = REQUIRED[handler.name] ?? {};
    expect(Object.keys(handler.options.parse(required))).toEqual(Object.keys(handler.options.shape));
    expect(handler.options.safeParse({ ...required, unheard_of: 1 }).success).toBe(false);
  });

  it.each([...HANDLER_CATALOG.values()])('$name can be written as JSON Schema, every option described', (handler) => {
    const schema = z.toJSONSchema(handler.options, { io: 'input' });
    expect(schema.additionalProperties).toBe(false);
    for (const option of Object.values(schema.properties ?? {})) {
      expect(option).toHaveProperty('description', expect.stringMatching(/.{10}/));
    }
  });

  it('refuses two handlers of one name', () => {
    expect(() => catalogOf([definition('same'), definition('same')])).toThrow('two handlers are called "same"');
  });

  it('refuses a job option that the schema does not have', () => {
    expect(() => catalogOf([definition('walk', ['depth', 'speed'])])).toThrow('options it does not have: speed');
  });
});

describe('ignore patterns', () => {
  it.each(['*.log', '**/node_modules/**', '/dist/', '!keep.*.min.js', 'a?[bc]*', '*_*_*_*.log', '**/a/**/b/**'])(
    'takes %s',
    (pattern) => {
      expect(patternProblem(pattern)).toBeNull();
    },
  );

  it.each([
    ['**/a/**/a/**/a/**/a', 'three "**"'],
    ['a\0b', 'NUL'],
    ['x'.repeat(1_001), 'longer'],
  ])('refuses %j, which could hold up a worker', (pattern, why) => {
    expect(patternProblem(pattern)).toContain(why);
    const parsed = HANDLER_CATALOG.get('filesystem')?.options.safeParse({ ignore_patterns: ['ok', pattern] });
    expect(parsed?.error?.issues[0]?.path).toEqual(['ignore_patterns', 1]);
  });
});
