import type { Json } from '#shared/domain/json';

const MASK = '***';
/** Shorter ones hide nothing and would make holes in every text. */
const MIN_SECRET_CHARACTERS = 4;
const MIN_WORD_CHARACTERS = 8;

/**
 * Takes secrets out of what a server or a program gave back, before it is kept: many repeat what they were sent, as it
 * is or in JSON, in an address or as base64. The words of a secret are hidden too, so that `Bearer TOKEN` is not told by
 * its token, nor a key file by its lines.
 */
export class SecretMask {
  /** In each of their forms, the longest first: one may hold another. */
  private readonly forms: readonly string[];

  constructor(secrets: readonly string[]) {
    const words = secrets.flatMap((secret) => secret.split(/\s+/).filter((word) => word.length >= MIN_WORD_CHARACTERS));
    const all = [...secrets.filter((secret) => secret.length >= MIN_SECRET_CHARACTERS), ...words];
    this.forms = [...new Set(all.flatMap(formsOf))].sort((a, b) => b.length - a.length);
  }

  /**
   * The text with secrets hidden. Whoever shortens a text does so after this: a part of a secret is not known for one.
   * @param isCut whether the end of the text is missing; then it loses what may be the beginning of a secret
   */
  text(text: string, isCut = false): string {
    const hidden = this.forms.reduce((shown, form) => shown.replaceAll(form, MASK), text);
    return isCut ? this.withoutBegunSecret(hidden) : hidden;
  }

  /** The value with secrets hidden in all its texts and names. */
  json(value: Json): Json {
    if (this.forms.length === 0) return value;
    if (typeof value === 'string') return this.text(value);
    if (typeof value === 'number') return this.forms.includes(String(value)) ? MASK : value;
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.json(item));
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.text(name), this.json(item)]));
  }

  private withoutBegunSecret(text: string): string {
    // Half a character at the cut was read as a sign of its own.
    const whole = text.replace(/\ufffd{1,3}$/, '');
    const begun = Math.max(0, ...this.forms.map((form) => begunCharacters(whole, form)));
    return whole.slice(0, whole.length - begun);
  }
}

/** How much of the beginning of `form` the text ends with. */
function begunCharacters(text: string, form: string): number {
  for (let length = Math.min(form.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(form.slice(0, length))) return length;
  }
  return 0;
}

/** A secret as it is, and as it is written in JSON, in JSON within JSON, in an address, and in base64. */
function formsOf(secret: string): string[] {
  const inJson = jsonForm(secret);
  const base64 = Buffer.from(secret).toString('base64');
  const base64url = base64.replaceAll('+', '-').replaceAll('/', '_');
  const encoded = [base64, base64url].flatMap((form) => [form, form.replace(/=+$/, '')]);
  return [secret, inJson, jsonForm(inJson), encodeURIComponent(secret.toWellFormed()), ...encoded];
}

const jsonForm = (text: string): string => JSON.stringify(text).slice(1, -1);
