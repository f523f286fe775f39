import { readPipelineText } from '#shared/runtime/pipeline-file';
import { PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';

/** What is wrong with the options of a step, without the place of the step. */
function faultsOf(uses: string, options: string): string[] {
  const text = `pipelines:\n  p:\n    steps:\n      - { name: a, uses: ${uses}, options: ${options} }\n`;
  try {
    readPipelineText(text, 'f');
  } catch (error) {
    if (!(error instanceof PipelineConfigError)) throw error;
    return error.message.split('\n').map((line) => line.replace(/^f:4: pipelines\.p\.steps\[0\]\.options\.?/, ''));
  }
  return [];
}

const SECRET_FORM = 'or { secret: NAME } with the name of an environment variable of the worker';

describe('options of http', () => {
  it.each([
    '{ url: "http://127.0.0.1:1/" }',
    '{ url: "https://me:pw@[::1]:8443/a?b=c", method: PATCH }',
    '{ url: "http://h", headers: { Authorization: { secret: TOKEN }, X-A: "b c" }, body: [1, { a: null }] }',
  ])('%s are fine', (options) => {
    expect(faultsOf('http', options)).toEqual([]);
  });

  it.each([
    ['{}', 'url: expected text, found nothing'],
    ['{ url: 5 }', 'url: expected text, found 5'],
    ['{ url: "ftp://h/x" }', 'an address like https://example.org/path), found "ftp://h/x"'],
    ['{ url: "http://h", method: post }', 'method: expected one of POST, PUT, PATCH, DELETE, GET, found "post"'],
    [
      '{ url: "http://h", methods: GET }',
      'methods: expected one of url, method, headers, body, found the key "methods"',
    ],
    ['{ url: "http://h", headers: { A: 5 } }', `headers.A: expected a value that handler http takes (a text without`],
    [
      '{ url: "http://h", headers: { A: "b\\nc" } }',
      'headers.A: expected a value that handler http takes (a text without line ends), found',
    ],
    [
      '{ url: "http://h", headers: { A: { secret: "a b" } } }',
      'headers.A.secret: expected a value that handler http takes (the name of an',
    ],
    [
      '{ url: "http://h", headers: { A: { secret: X, more: 1 } } }',
      'headers.A.more: expected one of secret, found the key "more"',
    ],
    ['{ url: "http://h", headers: { "a b": c } }', 'the name of a header, found "a b"'],
    ['{ url: "http://h", headers: { Content-Length: "1" } }', 'a header that Sluice does not set by itself'],
    ['{ url: "http://h", headers: { A: b, a: c } }', 'each header once, whatever the case of its letters'],
  ])('%s are not', (options, words) => {
    const faults = faultsOf('http', options);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
  });
});

describe('options of command', () => {
  it.each([
    '{ command: [make] }',
    '{ command: [sh, -c, "a; b", ""], permanent_exit_codes: [2, 65], env: { A: b, C: { secret: D } }, cwd: /srv }',
  ])('%s are fine', (options) => {
    expect(faultsOf('command', options)).toEqual([]);
  });

  it.each([
    ['{}', 'command: expected a list, found nothing'],
    ['{ command: make all }', 'command: expected a list, found "make all"'],
    ['{ command: [] }', 'command'],
    ['{ command: [""] }', 'command[0]: expected at least 1 characters, found ""'],
    ['{ command: [sleep, 5] }', 'command[1]: expected text, found 5'],
    ['{ command: [a], permanent_exit_codes: [0] }', 'permanent_exit_codes[0]: expected at least 1, found 0'],
    ['{ command: [a], env: { A: 5 } }', `env.A: expected a value that handler command takes (a text, ${SECRET_FORM})`],
    ['{ command: [a], env: { "a-b": c } }', 'the name of a variable, found "a-b"'],
    ['{ command: [a], shell: true }', 'shell: expected one of command, permanent_exit_codes, env, cwd, found the key'],
  ])('%s are not', (options, words) => {
    const faults = faultsOf('command', options);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(words);
  });
});
