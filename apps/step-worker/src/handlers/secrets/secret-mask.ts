import type { Json } from '#shared/domain/json';

const MASK = '***';
/** Shorter ones hide nothing and would make holes in every text. */
const MIN_SECRET_CHARACTERS = 4;
const MIN_WORD_CHARACTERS = 8;

/**
 * Takes secrets out of what a server or a program gave back, before it is kept: many repeat what they were sent. The
 * words of a secret are hidden too, so that `Bearer TOKEN` is not told by its token, nor a key file by its lines.
 */
export class SecretMask {
  private readonly secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    const words = secrets.flatMap((secret) => secret.split(/\s+/).filter((word) => word.length >= MIN_WORD_CHARACTERS));
    const all = [...secrets.filter((secret) => secret.length >= MIN_SECRET_CHARACTERS), ...words];
    // The longest first: one may hold another.
    this.secrets = [...new Set(all)].sort((a, b) => b.length - a.length);
  }

  text(text: string): string {
    return this.secrets.reduce((hidden, secret) => hidden.replaceAll(secret, MASK), text);
  }

  /** The value with secrets hidden in all its texts and names. */
  json(value: Json): Json {
    if (this.secrets.length === 0) return value;
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.secrets.includes(String(value)) ? MASK : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.json(item));
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.text(name), this.json(item)]));
  }
}
