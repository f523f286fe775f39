import * as fc from 'fast-check';
import { createLogger, type Logger } from '#shared/runtime/logger';
import { NestLogger } from '#shared/runtime/nest-logger';
import { anyText } from '../../../../test/support/any-text';

const CONTROLS_BUT_LINE_END = /(?!\n)[\p{Cc}\u2028\u2029]/u;

function logTo(form: 'json' | 'pretty'): { log: Logger; lines: () => string[]; text: () => string } {
  const written: string[] = [];
  const log = createLogger({
    service: 'test',
    level: 'trace',
    form,
    out: { write: (line) => void written.push(line) },
  });
  return { log, lines: () => written, text: () => written.join('') };
}

describe('the log as JSON', () => {
  it('is one line of JSON an entry, whatever the message and its fields hold', () => {
    fc.assert(
      fc.property(anyText(), anyText(), (message, value) => {
        const { log, lines } = logTo('json');
        log.info({ value }, `m${message}`);
        expect(lines()).toHaveLength(1);
        expect(lines()[0]).toMatch(/^[^\n]*\n$/);
        expect(lines()[0]).not.toMatch(CONTROLS_BUT_LINE_END);
        expect(() => JSON.parse(lines()[0] ?? '') as unknown).not.toThrow();
      }),
    );
  });

  it('gives back what was logged', () => {
    const { log, lines } = logTo('json');
    log.warn({ job_id: 'j\r\n\u001b[31m\u009b\u2028' }, 'a\nb');
    expect(JSON.parse(lines()[0] ?? '')).toMatchObject({
      level: 'warn',
      service: 'test',
      job_id: 'j\r\n\u001b[31m\u009b\u2028',
      msg: 'a\nb',
    });
  });

  it.each([
    ['a URL with a password', { url: 'postgres://sluice:hunter2@db:5432/sluice' }],
    ['a URL with a token for a user', { url: 'https://hunter2@example.org/repository.git' }],
    ['a token in a query', { url: '/v1/ingest/ws?all=true&access_token=hunter2&x=1' }],
    ['a header', { headers: { authorization: 'Bearer hunter2' } }],
    ['a header deeper down', { req: { headers: { authorization: 'hunter2' } } }],
    ['a bearer token in a text', { text: 'sent Bearer hunter2 to it' }],
    ['a field that is called so', { password: 'hunter2' }],
    ['the environment', { env: { DATABASE_URL: 'hunter2', NATS_URL: 'hunter2' } }],
    ['the message of an error', { err: new Error('connect postgres://a:hunter2@db failed') }],
  ])('hides %s', (_what, fields) => {
    for (const form of ['json', 'pretty'] as const) {
      const { log, text } = logTo(form);
      log.error(fields, 'it says');
      expect(text()).toContain('***');
      expect(text()).not.toContain('hunter2');
    }
  });
});

describe('the log for people', () => {
  it('lets nobody forge a line or steer the terminal', () => {
    const { log, text } = logTo('pretty');
    log.info({ source: 'x\u001b[2J\r\ny' }, 'a\n[00:00:00] INFO: forged\u001b]0;title\u0007');
    expect(text()).toContain('a\\u000a[00:00:00] INFO: forged\\u001b]0;title\\u0007');
    expect(text()).toContain('x\\u001b[2J\\u000d\\u000ay');
  });

  it('keeps the lines of a stack', () => {
    const { log, text } = logTo('pretty');
    log.error({ err: new Error('broken') }, 'it broke');
    expect(text()).toMatch(/Error: broken\n\s+at /);
  });
});

describe('NestLogger', () => {
  const entries = (write: (logger: NestLogger) => void): unknown[] => {
    const { log, lines } = logTo('json');
    write(new NestLogger(log));
    return lines().map((line) => JSON.parse(line) as unknown);
  };

  it('writes what Nest says, with its context', () => {
    expect(entries((logger) => logger.warn('careful', 'WsAdapter'))).toMatchObject([
      { level: 'warn', msg: 'careful', context: 'WsAdapter' },
    ]);
  });

  it('keeps the chatter of a start for those who look for it', () => {
    expect(entries((logger) => logger.log('HealthModule dependencies initialized', 'InstanceLoader'))).toMatchObject([
      { level: 'debug' },
    ]);
    expect(entries((logger) => logger.log('something else', 'Gateway'))).toMatchObject([{ level: 'info' }]);
  });

  it('tells the stack of an error from its context', () => {
    expect(entries((logger) => logger.error('broken', 'Error: broken\n at x', 'ExceptionsHandler'))).toMatchObject([
      { level: 'error', msg: 'broken', stack: 'Error: broken\n at x', context: 'ExceptionsHandler' },
    ]);
    expect(entries((logger) => logger.error(new TypeError('odd'), undefined, 'X'))).toMatchObject([
      { msg: 'odd', err: { type: 'TypeError' }, context: 'X' },
    ]);
    expect(entries((logger) => logger.error({ status: 'down' }))).toMatchObject([{ details: { status: 'down' } }]);
  });
});
