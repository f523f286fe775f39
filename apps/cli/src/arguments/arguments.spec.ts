import fc from 'fast-check';
import type { Json } from '#shared/domain/json';
import { parseEta } from './eta';
import { addAssignment } from './option-assignments';
import { absoluteSource } from './values';

describe('eta', () => {
  test('local time, to the second, wherever the tests run', () => {
    fc.assert(
      fc.property(fc.date({ min: new Date('1971-01-01'), max: new Date('2200-01-01'), noInvalidDate: true }), (at) => {
        const two = (value: number): string => String(value).padStart(2, '0');
        const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
        const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
        const expected = new Date(
          at.getFullYear(),
          at.getMonth(),
          at.getDate(),
          at.getHours(),
          at.getMinutes(),
          at.getSeconds(),
        );
        expect(parseEta(`${day}T${time}`)).toBe(expected.toISOString());
        expect(parseEta(`${day} ${time}`)).toBe(expected.toISOString());
      }),
    );
  });

  test.each([
    ['2030-01-31T18:30:00+02:00', '2030-01-31T16:30:00.000Z'],
    ['2030-01-31T18:30-0530', '2030-02-01T00:00:00.000Z'],
    ['2030-01-31 18:30 +02', '2030-01-31T16:30:00.000Z'],
    ['2030-01-31T18:30:00+0200', '2030-01-31T16:30:00.000Z'],
    ['2001-01-01T00:00:00Z', '2001-01-01T00:00:00.000Z'],
    ['2030-01-31t18:30:00.123456z', '2030-01-31T18:30:00.123Z'],
    ['2028-02-29T00:00Z', '2028-02-29T00:00:00.000Z'],
    [' 1900000000.5 ', 1_900_000_000.5],
  ])('%s', (text, expected) => {
    expect(parseEta(text)).toBe(expected);
  });

  test.each([
    '',
    'now',
    '2030-1',
    '2030-13-01',
    '2029-02-29',
    '2030-01-31T25:00',
    '2030-01-31T18',
    '-5',
    '1e9',
    '10:00',
  ])('%p is none', (text) => {
    expect(() => parseEta(text)).toThrow('Expected a time');
  });
});

test('a number that can only be milliseconds is no eta', () => {
  expect(parseEta('99999999999')).toBe(99_999_999_999);
  expect(() => parseEta('1893456000000')).toThrow('That can only be milliseconds: give Unix seconds.');
});

describe('STEP.KEY=VALUE', () => {
  test('any JSON comes through, and any text that is none', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(addAssignment(`step.key=${text}`)).toEqual({ step: { key: JSON.parse(text) as Json } });
      }),
    );
    expect(addAssignment('step.key=*.log')).toEqual({ step: { key: '*.log' } });
    expect(addAssignment('step.key=')).toEqual({ step: { key: '' } });
  });

  test('the first dot and the first = count; the last word does', () => {
    const once = addAssignment('a.b.c=d=e');
    expect(addAssignment('a.b.c=2', addAssignment('a.x=1', once))).toEqual({ a: { 'b.c': 2, x: 1 } });
    expect(once).toEqual({ a: { 'b.c': 'd=e' } });
  });

  test('__proto__ is a name like any other', () => {
    const options = addAssignment('__proto__.polluted=1', addAssignment('a.__proto__={"polluted":1}'));
    expect(JSON.stringify(options)).toBe('{"a":{"__proto__":{"polluted":1}},"__proto__":{"polluted":1}}');
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test.each(['', 'a', 'a.b', '.b=1', 'a.=1', 'a=b.c', '=1'])('%p is none', (text) => {
    expect(() => addAssignment(text)).toThrow('Expected STEP.KEY=VALUE');
  });
});

test.each([
  ['.', '/home/me'],
  ['src/../lib', '/home/me/lib'],
  ['/abs/path', '/abs/path'],
  ['odd:name', '/home/me/odd:name'],
  ['./user@host:path', '/home/me/user@host:path'],
  ['https://example.org/a.git', 'https://example.org/a.git'],
  ['ssh://git@example.org/a.git', 'ssh://git@example.org/a.git'],
  ['git@example.org:a/b.git', 'git@example.org:a/b.git'],
])('the source %s is sent as %s', (source, expected) => {
  expect(absoluteSource(source, '/home/me')).toBe(expected);
});
