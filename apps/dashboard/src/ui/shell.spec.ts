import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { cliLine, curlLine, shellQuote } from './shell';

/** The words that a real shell makes of the line; what it expands, it expands. */
function wordsOf(line: string, env: Record<string, string> = {}): string[] {
  const out = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8', env });
  return out.split('\0').slice(0, -1);
}

/** The same for what single quotes and backslashes do, quickly enough for thousands of texts. */
function unquoted(line: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at);
    if (char === ' ') {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === "'") {
      const end = line.indexOf("'", at + 1);
      expect(end).toBeGreaterThan(at);
      word = (word ?? '') + line.slice(at + 1, end);
      at = end;
    } else if (char === '\\') {
      at += 1;
      word = (word ?? '') + line.charAt(at);
    } else {
      expect(char).toMatch(/[\w%+:,./@=-]/);
      word = (word ?? '') + char;
    }
  }
  return word === null ? words : [...words, word];
}

/** A shell's words end at NUL: there is none in any. */
const text = fc.string({ unit: 'grapheme' }).filter((value) => !value.includes('\0'));
const nasty = fc.string({
  unit: fc.constantFrom(...`'"\\$\`!*?[]{}()<>|&;#~=-@%^ \t\n`, '\r', 'a', 'Z', '7', 'ü', '😀'),
});

describe('shellQuote', () => {
  test('what is quoted comes out of a shell as it was', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(text, nasty)), (words) => {
        expect(unquoted(words.map(shellQuote).join(' '))).toEqual(words);
      }),
    );
  });

  test('a real shell agrees', () => {
    const words = [...fc.sample(text, 150), ...fc.sample(nasty, 250), '', "it's", "'", '$HOME', '`id`', '-n'];
    expect(wordsOf(words.map(shellQuote).join(' '))).toEqual(words);
  });

  test.each([
    ['0192-ab', '0192-ab'],
    ['', "''"],
    ['a b', "'a b'"],
    ["it's", `'it'\\''s'`],
    ['=ls', "'=ls'"],
    ['a=b', 'a=b'],
    ['~', "'~'"],
  ])('%p is %s', (value, expected) => {
    expect(shellQuote(value)).toBe(expected);
  });
});

describe('curlLine', () => {
  test('a call with a body', () => {
    expect(curlLine({ method: 'POST', url: 'http://localhost:3000/v1/ingest', body: { source: "/it's" } })).toBe(
      `curl -s -X POST http://localhost:3000/v1/ingest -H 'content-type: application/json' -d '{"source":"/it'\\''s"}'`,
    );
  });

  test('one without, whose address a shell would read', () => {
    expect(curlLine({ method: 'DELETE', url: 'http://localhost/a?b=1&c' })).toBe(
      `curl -s -X DELETE 'http://localhost/a?b=1&c'`,
    );
  });

  test('the key is what the shell has of it', () => {
    const line = curlLine({ method: 'GET', url: 'http://localhost/', withKey: true });
    expect(wordsOf(line, { SLUICE_API_KEY: 'sl_a b' })).toEqual([
      ...['curl', '-s', '-X', 'GET', 'http://localhost/', '-H'],
      'authorization: Bearer sl_a b',
    ]);
  });

  test('any body comes out as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        const words = unquoted(curlLine({ method: 'POST', url: 'http://localhost/', body }));
        expect(words.at(-1)).toBe(JSON.stringify(body));
      }),
    );
  });
});

test('cliLine', () => {
  expect(cliLine(['ingest', 'cancel', '0192-ab'], 'http://127.0.0.1:3000')).toBe('npx sluice ingest cancel 0192-ab');
  expect(cliLine(['ingest', 'start', './a b', '--tag', ''], 'http://h:1')).toBe(
    "npx sluice --url http://h:1 ingest start './a b' --tag ''",
  );
});
