import { optionsWithoutSecrets } from '#shared/contracts/hidden-secrets';

describe('options as they are shown', () => {
  it.each([
    ['https://me:hunter2@h/x', 'https://***@h/x'],
    ['https://hunter2@h/x#part', 'https://***@h/x#part'],
    ['https://me:hun@ter2@h:8080/x', 'https://***@h:8080/x'],
    ['https://me:"hunter2\'<>@h/x', 'https://***@h/x'],
    ['http:me:hunter2 more@h', 'http://***@h/'],
    ['https://h/x?key="hunter2 \'hunter2', 'https://h/x?key=***'],
    ['https://h/x?apikey=hunter2', 'https://h/x?apikey=***'],
    ['https://h/x?a=1&hunter2&b=hunter2=#c', 'https://h/x?a=***&***&b=***#c'],
    ['--db=postgres://me:hun@ter2@h/d?sslpassword=hunter2 --fast', '--db=postgres://***@h/d?sslpassword=*** --fast'],
    ['authorization: Bearer hunter2', 'authorization: Bearer ***'],
    ['is it so? a=1', 'is it so? a=1'],
    ['https://h/x', 'https://h/x'],
  ])('have no secret in a text: %s', (text, shown) => {
    expect(optionsWithoutSecrets({ url: text, body: [{ in: text }] })).toEqual({ url: shown, body: [{ in: shown }] });
  });

  it('tell no header and no field called like a secret, but which secret is referred to', () => {
    const options = {
      headers: { Authorization: { secret: 'HOOK' }, 'X-Key': 'hunter2' },
      env: { DB_PASSWORD: 'hunter2', apiKey: 'hunter2', MODE: 'fast', TOKEN: { secret: 'TOKEN' }, tokens: 'kept' },
      body: { secret: 'hunter2', n: 1 },
    };
    expect(optionsWithoutSecrets(options)).toEqual({
      headers: { Authorization: { secret: 'HOOK' }, 'X-Key': '***' },
      env: { DB_PASSWORD: '***', apiKey: '***', MODE: 'fast', TOKEN: { secret: 'TOKEN' }, tokens: 'kept' },
      body: { secret: '***', n: 1 },
    });
  });

  it('stay what they are otherwise', () => {
    const options = { a: [null, true, 7, 'text', { b: {} }], headers: {} };
    expect(optionsWithoutSecrets(options)).toEqual(options);
  });

  it('are made in a moment, whatever a text looks like', () => {
    const startedAtMs = performance.now();
    for (const piece of ['http://', 'a://', 'http://a?', '://@', 'http:a@', '?token=', 'Bearer ']) {
      optionsWithoutSecrets({ body: piece.repeat(1_000_000 / piece.length) });
    }
    expect(performance.now() - startedAtMs).toBeLessThan(10_000);
  });
});
