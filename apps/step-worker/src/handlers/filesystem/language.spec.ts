import { isBinary, languageOf } from './language';

const language = (name: string, start = ''): string | null => languageOf(name, Buffer.from(start));

describe('languageOf', () => {
  it.each([
    ['main.ts', 'typescript'],
    ['View.TSX', 'typescript'],
    ['archive.test.py', 'python'],
    ['lib.rs', 'rust'],
    ['core.h', 'c'],
    ['README.md', 'markdown'],
    ['README', 'text'],
    ['LICENSE', 'text'],
    ['CMakeLists.txt', 'cmake'],
    ['notes.txt', 'text'],
    ['Dockerfile', 'dockerfile'],
    ['Dockerfile.dev', 'dockerfile'],
    ['go.sum', 'go-module'],
    ['.gitignore', 'ignore-list'],
  ])('knows %s by its name', (name, expected) => {
    expect(language(name)).toBe(expected);
  });

  it.each([
    ['#!/bin/sh\necho', 'shell'],
    ['#!/usr/bin/env python3.12\n', 'python'],
    ['#! /usr/bin/env -S NODE_OPTIONS=x node --flag\n', 'javascript'],
    ['#!/opt/ruby/bin/ruby2.7\r\n', 'ruby'],
  ])('knows a script by %j', (start, expected) => {
    expect(language('run', start)).toBe(expected);
  });

  it.each([
    ['run', '#!/usr/bin/unheard-of'],
    ['run', '#!'],
    ['run', '# !/bin/sh'],
    ['data.unheard-of', ''],
    ['constructor', ''],
    ['x.__proto__', ''],
    ['.ts', ''],
    ['', ''],
  ])('does not guess %j with %j', (name, start) => {
    expect(language(name, start)).toBeNull();
  });
});

describe('isBinary', () => {
  it('goes by a NUL among the first 8,000 bytes', () => {
    expect(isBinary(Buffer.from('text\0'))).toBe(true);
    expect(isBinary(Buffer.concat([Buffer.alloc(8_000, 'a'), Buffer.alloc(1)]))).toBe(false);
    expect(isBinary(Buffer.alloc(0))).toBe(false);
  });
});
