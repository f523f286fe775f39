import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { type AnswerKind, type HttpAnswer, kindOfStatus, oneLine, outputOf, shownUrl } from './http-answer';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function answer(status: number, body = '', headers: Record<string, string> = {}, isCut = false): HttpAnswer {
  return { status, body, isCut, header: (name) => headers[name] };
}

function judge(given: HttpAnswer): unknown {
  return outputOf(given, 'POST http://h/x', { nowMs: NOW, hide: (text) => text, log: () => undefined });
}

function thrown(given: HttpAnswer): PermanentError | TransientError {
  try {
    judge(given);
  } catch (error) {
    if (error instanceof PermanentError || error instanceof TransientError) return error;
  }
  throw new Error('nothing was thrown');
}

/** The whole table of the contract, written out. */
function expected(status: number): AnswerKind {
  if (status < 300) return 'completed';
  if (status < 500) return [408, 425, 429].includes(status) ? 'transient' : 'permanent';
  return 'transient';
}

describe('what a status means', () => {
  it('is settled for every status from 200 to 599', () => {
    for (let status = 200; status < 600; status += 1) {
      expect([status, kindOfStatus(status)]).toEqual([status, expected(status)]);
    }
  });

  it('names status and code in every failure; Retry-After counts with every transient one, and with no other', () => {
    for (let status = 300; status < 600; status += 1) {
      const error = thrown(answer(status, 'why', { 'retry-after': '9', location: 'http://h/y' }));
      expect(error.code).toBe(`http_${status}`);
      expect(error.message).toContain(`POST http://h/x answered ${status}: `);
      const delay = error instanceof TransientError ? error.minDelayMs : undefined;
      expect([status, error instanceof TransientError, delay]).toEqual([
        status,
        expected(status) === 'transient',
        expected(status) === 'transient' ? 9_000 : undefined,
      ]);
    }
  });

  it('measures a date by the date of the answer itself, however wrong this clock is', () => {
    const headers = { 'retry-after': 'Fri, 02 Jan 2026 05:00:30 GMT', date: 'Fri, 02 Jan 2026 05:00:00 GMT' };
    expect(thrown(answer(503, '', headers))).toMatchObject({ minDelayMs: 30_000 });
  });
});

describe('words of an answer', () => {
  it.each([
    [400, `${'x'.repeat(195)}hunter2`, undefined],
    [302, '', `/${'x'.repeat(195)}hunter2`],
  ])('hide a secret before they are cut: %i', (status, body, location) => {
    const hide = (text: string): string => text.replaceAll('hunter2', '***');
    const given = answer(status, body, location === undefined ? {} : { location });
    expect(() => outputOf(given, 'POST http://h/x', { nowMs: NOW, hide, log: () => undefined })).toThrow('xx***');
  });

  it('say whether their end is missing', () => {
    const hide = (text: string, isCut?: boolean): string => `${text} ${isCut}`;
    const given = answer(500, 'why', {}, true);
    expect(() => outputOf(given, 'POST http://h/x', { nowMs: NOW, hide, log: () => undefined })).toThrow(': why true');
  });

  it('are one line of 200 characters at most, whatever is in it', () => {
    expect(oneLine(' a\r\n\tb\0\u001b[31mc\u2028d ')).toBe('a b [31mc d');
    expect(oneLine('😀'.repeat(300))).toBe('😀'.repeat(200));
    expect(thrown(answer(500)).message).toBe('POST http://h/x answered 500');
  });

  it('show of an address neither user nor password nor query', () => {
    expect(shownUrl('https://me:pw@h:8443/p?a=1#f')).toBe('https://h:8443/p?…');
    expect(shownUrl('/elsewhere?token=1')).toBe('/elsewhere');
  });

  it('say where an answer points that is not followed', () => {
    expect(thrown(answer(307, '', { location: '/new?k=1' })).message).toContain('it points to /new, and redirects');
    expect(thrown(answer(304)).message).toContain('it points elsewhere, and redirects are not followed');
  });
});

describe('the body of a success', () => {
  it('of plain text is JSON only when it can be read as such', () => {
    const type = { 'content-type': 'text/plain; charset=utf-8' };
    expect(judge(answer(200, '[1]', type))).toEqual([1]);
    expect(judge(answer(200, 'OK', type))).toEqual({});
    expect(judge(answer(200, '[1]', { 'content-type': 'text/html' }))).toEqual({});
  });

  it('that is cut is never half an output', () => {
    expect(judge(answer(200, '123', {}, true))).toEqual({});
    expect(thrown(answer(200, '123', { 'content-type': 'application/json' }, true))).toMatchObject({
      ...{ name: 'PermanentError', code: 'answer_too_large' },
    });
  });
});
