import fc from 'fast-check';
import { errorPattern } from '#shared/domain/error-pattern';
import type { StepError } from '#shared/domain/turn/job-draft';
import { anyText } from '../../../../test/support/any-text';

const patternOf = (message: string, over: Partial<StepError> = {}): string =>
  errorPattern({ message, kind: 'transient', code: 'E_TRIED', ...over });

describe('errorPattern', () => {
  it.each([
    ['job 0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d is gone', 'job 0190a4c2-5b7e-7c3a-9d21-000000000000 is gone'],
    ['late since 2030-01-31T08:00:00.123Z', 'late since 2031-12-01T09:30:00+02:00'],
    ['POST http://127.0.0.1:8080/a?b=1 answered 503: busy', 'POST https://example.org/x answered 503: busy'],
    ['cannot read /data/a/b.txt', 'cannot read ./other.md'],
    ['no column "first"', 'no column "second one"'],
    ['commit 3f2a9c1b77 is missing', 'commit 00ffaa1122 is missing'],
    ['took 12.5 s of 10', 'took 1,300 s of 9'],
    ['two\n  lines', 'two lines'],
  ])('takes %j and %j for the same', (one, other) => {
    expect(patternOf(one)).toBe(patternOf(other));
  });

  it.each([
    ['cannot read the file', 'cannot write the file'],
    ['POST <url> answered 503: busy', 'POST <url> answered 503: down'],
  ])('tells %j from %j', (one, other) => {
    expect(patternOf(one)).not.toBe(patternOf(other));
  });

  it('tells kinds and codes apart', () => {
    const patterns = [patternOf('no'), patternOf('no', { code: null }), patternOf('no', { kind: 'permanent' })];
    expect(new Set(patterns).size).toBe(3);
  });

  it('is short and quick, whatever the message', () => {
    fc.assert(
      fc.property(anyText({ maxLength: 5_000 }), (message) => {
        expect(patternOf(message).length).toBeLessThan(600);
      }),
    );
    expect(patternOf('/'.repeat(100_000)).length).toBeLessThan(600);
    expect(patternOf('a'.repeat(100_000) + '"').length).toBeLessThan(600);
  });
});
