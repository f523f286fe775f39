import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretMask } from './secret-mask';
import { SecretReader } from './secret-reader';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-secrets-'));
  await writeFile(join(folder, 'token'), ' from a file \r\n');
  await writeFile(join(folder, 'empty'), '\n');
});

afterAll(() => rm(folder, { recursive: true }));

const read = (env: NodeJS.ProcessEnv) =>
  new SecretReader(env).resolve({ plain: 'as it is', token: { secret: 'TOKEN' } });

describe('a secret', () => {
  it('is the variable of its name, else what the file holds that NAME_FILE names, without its line end', async () => {
    const file = join(folder, 'token');
    await expect(read({ TOKEN: 'of the variable', TOKEN_FILE: file })).resolves.toEqual({
      ...{ values: { plain: 'as it is', token: 'of the variable' }, secrets: ['of the variable'] },
    });
    await expect(read({ TOKEN: '', TOKEN_FILE: file })).resolves.toMatchObject({ values: { token: ' from a file ' } });
  });

  it.each([
    ['is nowhere', () => ({}), 'set the environment variable TOKEN on this worker, or TOKEN_FILE'],
    ['has no file', () => ({ TOKEN_FILE: join(folder, 'none') }), 'cannot be read (ENOENT)'],
    ['has an empty file', () => ({ TOKEN_FILE: join(folder, 'empty') }), 'is empty'],
  ])('that %s fails the step for good, and says what to do', async (_, env, words) => {
    const missing = read(env());
    await expect(missing).rejects.toMatchObject({ name: 'PermanentError', code: 'secret_missing' });
    await expect(missing).rejects.toThrow(words);
    await expect(missing).rejects.toThrow('the secret TOKEN is missing');
  });
});

describe('the mask', () => {
  const mask = new SecretMask(['Bearer abcdefgh12', 'p"w\\d', 'xyz', '20261126']);

  it('hides secrets and their longer words in texts', () => {
    expect(mask.text('got Bearer abcdefgh12, p"w\\d and abcdefgh12')).toBe('got ***, *** and ***');
  });

  it('leaves what is too short to be one', () => {
    expect(mask.text('Bearer of xyz')).toBe('Bearer of xyz');
  });

  it('hides them in all of a JSON value, as it is and not as it is written', () => {
    const value = { a: ['p"w\\d', 20261126, null, true], abcdefgh12: 1 };
    expect(mask.json(value)).toEqual({ a: ['***', '***', null, true], '***': 1 });
  });

  it.each([
    ['JSON', 'p"w\\d\u0001\n+/', (text: string) => JSON.stringify(text)],
    ['JSON within JSON', 'p"w\\d\n', (text: string) => JSON.stringify(JSON.stringify(text))],
    ['an address', 'p/w d&?é', encodeURIComponent],
    ['base64', 'a?>b~~?>', (text: string) => Buffer.from(text).toString('base64')],
    [
      'base64 without its padding',
      'a?>b~~?>',
      (text: string) => Buffer.from(text).toString('base64').replace(/=/g, ''),
    ],
    ['base64url', 'a?>b~~?>', (text: string) => Buffer.from(text).toString('base64url')],
    ['padded base64url', 'a?>b~~?>', (text: string) => `${Buffer.from(text).toString('base64url')}=`],
  ])('hides a secret that is written as %s', (_, secret, written) => {
    const text = written(secret);
    expect(text).not.toContain(secret);
    const hidden = new SecretMask([secret]).text(`got <${text}>`);
    expect(hidden.replace(/[\\"]/g, '')).toBe('got <***>');
  });

  it('hides a secret that holds another before that one', () => {
    expect(new SecretMask(['abcd', 'abcd-efgh']).text('abcd-efgh abcd')).toBe('*** ***');
  });

  it('takes the beginning of a secret from the end of a text that is cut, and no other end', () => {
    const cut = Buffer.from('é so tok-é').subarray(0, -1).toString();
    const tokens = new SecretMask(['tok-é3f9a8b']);
    expect(tokens.text('it says tok-é3f9', true)).toBe('it says ');
    expect(tokens.text(cut, true)).toBe('é so ');
    expect(tokens.text('it says tok-é3f9a8b', true)).toBe('it says ***');
    expect(tokens.text('it says no', true)).toBe('it says no');
    expect(tokens.text('it says tok-é3f9')).toBe('it says tok-é3f9');
  });

  it('without secrets gives the value itself', () => {
    const value = { a: [1] };
    expect(new SecretMask([]).json(value)).toBe(value);
  });
});
