import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ConfigError, type ServiceConfig } from '#shared/runtime/config';

interface ApiKey {
  readonly name: string;
  readonly sha256: Buffer;
}

const ENTRY = /^([A-Za-z0-9][A-Za-z0-9_.@-]{0,63}):([0-9a-f]{64})$/i;
const EXPECTED = 'expected NAME:SHA256-HEX';
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The API keys that callers may use. Only hashes of them are known here. */
export class ApiKeys {
  constructor(private readonly keys: readonly ApiKey[]) {}

  /** Without any, nobody needs one. */
  get required(): boolean {
    return this.keys.length > 0;
  }

  /** The name of the key, or null. Takes the same time whichever key it is, or none. */
  nameOf(key: string): string | null {
    const hash = sha256(key);
    let name: string | null = null;
    for (const known of this.keys) if (timingSafeEqual(known.sha256, hash)) name = known.name;
    return name;
  }
}

/**
 * The keys of `SLUICE_API_KEYS` and `SLUICE_API_KEYS_FILE` together.
 * @throws ConfigError for an entry that is none, a name given twice, or a file that cannot be read or holds no key
 */
export async function loadApiKeys(config: Pick<ServiceConfig, 'apiKeys' | 'apiKeysFile'>): Promise<ApiKeys> {
  const given = parse('SLUICE_API_KEYS', (config.apiKeys ?? '').split(','));
  const filed = config.apiKeysFile === null ? [] : await readKeyFile(config.apiKeysFile);
  const keys = [...given, ...filed];
  const names = keys.map((key) => key.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigError([`SLUICE_API_KEYS: the name ${twice} is given to two keys`]);
  return new ApiKeys(keys);
}

async function readKeyFile(path: string): Promise<ApiKey[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'a fault' } = error as NodeJS.ErrnoException;
    throw new ConfigError([`SLUICE_API_KEYS_FILE: expected a file that can be read, found ${code}`]);
  }
  const keys = parse(
    'SLUICE_API_KEYS_FILE',
    text.split('\n').filter((line) => !line.trimStart().startsWith('#')),
  );
  // An empty file would open the gateway to everybody, which nobody means who names one.
  if (keys.length === 0) throw new ConfigError(['SLUICE_API_KEYS_FILE: expected at least one key, found none']);
  return keys;
}

/** What is wrong with an entry is said without the entry: it may be a key. */
function parse(variable: string, entries: readonly string[]): ApiKey[] {
  return entries.flatMap((entry, index) => {
    const text = entry.trim();
    if (text === '') return [];
    const [, name, hash] = ENTRY.exec(text) ?? [];
    if (name === undefined || hash === undefined) {
      throw new ConfigError([`${variable}: ${EXPECTED}, found something else in entry ${index + 1}`]);
    }
    return [{ name, sha256: Buffer.from(hash, 'hex') }];
  });
}
