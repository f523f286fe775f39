import { parseNatsUrl } from './nats-url';

describe('parseNatsUrl', () => {
  it.each([
    ['nats://127.0.0.1:4333', { servers: ['127.0.0.1:4333'] }],
    ['localhost', { servers: ['localhost:4222'] }],
    ['nats://a:1, nats://b:2 ,', { servers: ['a:1', 'b:2'] }],
    ['nats://[::1]:4222', { servers: ['[::1]:4222'] }],
    ['tls://secure', { servers: ['secure:4222'], tls: {} }],
    ['nats://me:p%40ss@host', { servers: ['host:4222'], user: 'me', pass: 'p@ss' }],
    ['nats://s3cret@host:1', { servers: ['host:1'], token: 's3cret' }],
    ['nats://a:1,nats://me:pass@b:2', { servers: ['a:1', 'b:2'], user: 'me', pass: 'pass' }],
  ])('reads %s', (url, expected) => {
    expect(parseNatsUrl(url)).toEqual(expected);
  });

  it.each(['', ' , ', 'http://host', 'nats://', 'nats://host:port'])(
    'refuses "%s" and says what it expected',
    (url) => {
      expect(() => parseNatsUrl(url)).toThrow('expected nats://host:port');
    },
  );

  it('does not repeat a password', () => {
    expect(() => parseNatsUrl('http://me:secret@host')).toThrow('"http://***@host"');
  });
});
