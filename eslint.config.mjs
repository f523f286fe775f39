import { defineConfig, globalIgnores } from 'eslint/config';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const restrict = (selector, message) => ({ selector, message });

const NAMES = restrict(
  'Identifier[name=/(^task|Task)/]',
  'The words are pipeline, job, step, attempt, outcome, event.',
);
const HTTP_EXCEPTION = restrict(
  'NewExpression[callee.name=/Exception$/]',
  'HTTP exceptions are made in the gateway alone: throw an error of the domain.',
);
const TEST_RULES = [
  restrict(
    'CallExpression[callee.object.name=/^(it|test|describe)$/][callee.property.name=/^(skip|only|todo|failing)$/]',
    'A test runs, or it is not there.',
  ),
  restrict('CallExpression[callee.name=/^(xit|xtest|xdescribe|fit|fdescribe)$/]', 'A test runs, or it is not there.'),
  restrict(
    "NewExpression[callee.name='Promise'] CallExpression[callee.name='setTimeout'][arguments.0.type='Identifier']",
    'A test waits for a signal or polls with a deadline; it never sleeps.',
  ),
  restrict("ImportDeclaration[source.value='node:timers/promises']", 'A test waits for a signal; it never sleeps.'),
];

/* What the compiler does not see, for every file, typed or not. */
const CORE = {
  'array-callback-return': 'error',
  eqeqeq: ['error', 'always'],
  'max-lines': ['error', { max: 400 }],
  'no-async-promise-executor': 'error',
  'no-cond-assign': 'error',
  'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
  'no-control-regex': 'error',
  'no-debugger': 'error',
  'no-duplicate-imports': ['error', { allowSeparateTypeImports: true }],
  'no-empty': 'error',
  'no-eval': 'error',
  'no-extend-native': 'error',
  'no-fallthrough': 'error',
  'no-implicit-coercion': ['error', { allow: ['!!'] }],
  'no-loss-of-precision': 'error',
  'no-new-wrappers': 'error',
  'no-param-reassign': 'error',
  'no-prototype-builtins': 'error',
  'no-self-compare': 'error',
  'no-sparse-arrays': 'error',
  'no-template-curly-in-string': 'error',
  'no-unsafe-finally': 'error',
  'no-unsafe-optional-chaining': 'error',
  'no-useless-escape': 'error',
  'no-useless-rename': 'error',
  'no-var': 'error',
  'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx', 'hack'] }],
  'object-shorthand': 'error',
  'prefer-const': 'error',
};

const NODE_GLOBALS = Object.fromEntries(
  [
    'AbortController',
    'AbortSignal',
    'Buffer',
    'TextDecoder',
    'TextEncoder',
    'URL',
    'URLSearchParams',
    'clearImmediate',
    'clearInterval',
    'clearTimeout',
    'console',
    'fetch',
    'performance',
    'process',
    'queueMicrotask',
    'setImmediate',
    'setInterval',
    'setTimeout',
    'structuredClone',
  ].map((name) => [name, 'readonly']),
);
const COMMONJS_GLOBALS = { ...NODE_GLOBALS, __dirname: 'readonly', module: 'writable', require: 'readonly' };

export default defineConfig([
  globalIgnores(['**/dist/', '**/node_modules/', '.sluice/', 'coverage/', 'bench/results/']),
  {
    // a rule that does not fit is changed here, for all
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
    rules: CORE,
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { ecmaVersion: 2023, globals: NODE_GLOBALS },
    rules: { 'no-undef': 'error', 'no-unused-vars': 'error' },
  },
  { files: ['**/*.cjs', 'bin/*.js'], languageOptions: { sourceType: 'commonjs', globals: COMMONJS_GLOBALS } },
  {
    files: ['apps/**/*.{ts,tsx}', 'libs/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/ban-ts-comment': [
        'error',
        { 'ts-ignore': true, 'ts-expect-error': true, 'ts-nocheck': true, 'ts-check': true },
      ],
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { prefer: 'type-imports', fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-deprecated': 'error',
      '@typescript-eslint/no-empty-object-type': ['error', { allowInterfaces: 'with-single-extends' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: true }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/prefer-readonly': 'error',
      // a method may be async because its interface is, and an async one cannot throw before its promise is there
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { requireDefaultForNonUnion: true, considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/use-unknown-in-catch-callback-variable': 'error',
      'no-console': 'error',
      'no-restricted-syntax': ['error', NAMES, HTTP_EXCEPTION],
    },
  },
  {
    files: ['apps/dashboard/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    languageOptions: {
      parserOptions: { project: './apps/dashboard/tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: { 'react-hooks/rules-of-hooks': 'error', 'react-hooks/exhaustive-deps': 'error' },
  },
  { files: ['apps/gateway/**/*.ts'], rules: { 'no-restricted-syntax': ['error', NAMES] } },
  { files: ['libs/shared/src/store/migrations/*.ts'], rules: { 'max-lines': 'off' } },
  {
    files: ['apps/**/*.{ts,tsx}', 'libs/**/*.ts'],
    ignores: ['**/*.spec.ts', 'libs/shared/src/store/migrations/*.ts'],
    rules: {
      'max-lines-per-function': ['error', { max: 80, skipComments: true }],
      'max-params': ['error', { max: 6 }],
    },
  },
  {
    files: ['test/**/*.ts', '**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-unnecessary-condition': 'off', // a test doubts what the types promise
      '@typescript-eslint/unbound-method': 'off', // expect(object.method) is not a call
    },
  },
  { files: ['**/*.spec.ts'], rules: { 'no-restricted-syntax': ['error', NAMES, ...TEST_RULES] } },
]);
