import type { Json, JsonObject } from '#shared/domain/json';

const MASK = '***';

/** Bounded, since a text may be a megabyte of what looks like the beginning of one. */
const SECRETS: readonly [RegExp, string][] = [
  // the user and password of a URL
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/"'<>]{1,500}@/gi, `$1${MASK}@`],
  [/([?&](?:access_token|api_?key|password|token)=)[^&\s"'#\\]+/gi, `$1${MASK}`],
  [/(\bBearer\s+)[A-Za-z0-9._~+/=-]+/gi, `$1${MASK}`],
];

const QUERY_IN_TEXT = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>?#]{1,500}\?)([^\s"'<>#]+)/gi;

/** Fields that hold a secret by their name, as variables of a program do: `DB_PASSWORD`, `apiKey`. */
const SECRET_FIELD =
  /(?:authorization|cookie|credentials?|passphrase|passw(?:or)?d|secret|token|(?:access|api|private)[_-]?key)$/i;

/** The text without passwords of URLs, tokens in queries and bearer tokens. */
export function hideSecrets(text: string): string {
  return SECRETS.reduce((hidden, [pattern, mask]) => hidden.replace(pattern, mask), text);
}

/**
 * Options of a step as they may be shown. Secrets are to be named in the file, not written; what may be one all the same
 * is not told: the texts of `headers` and of fields called like a secret, user, password and query values of URLs, bearer
 * tokens. References to secrets stay.
 */
export function optionsWithoutSecrets(options: JsonObject): JsonObject {
  return fieldsWithoutSecrets(options, false);
}

function fieldsWithoutSecrets(fields: JsonObject, areHeaders: boolean): JsonObject {
  if (isReference(fields)) return fields;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      const isHidden = typeof value === 'string' && (areHeaders || SECRET_FIELD.test(name));
      return [hideSecrets(name), isHidden ? MASK : valueWithoutSecrets(value, name === 'headers')];
    }),
  );
}

function valueWithoutSecrets(value: Json, areHeaders = false): Json {
  if (typeof value === 'string') return textWithoutSecrets(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => valueWithoutSecrets(item));
  return fieldsWithoutSecrets(value, areHeaders);
}

/** `{ secret: NAME }` */
const isReference = (fields: JsonObject): boolean =>
  Object.keys(fields).length === 1 && typeof fields['secret'] === 'string';

function textWithoutSecrets(text: string): string {
  const inText = urlWithoutSecrets(text).replace(
    QUERY_IN_TEXT,
    (_, address: string, query: string) => address + queryWithoutValues(query),
  );
  return hideSecrets(inText);
}

/** As a request reads it, which takes more for a secret than a pattern can tell: `http:me:p@ss word@host?key="a b"`. */
function urlWithoutSecrets(text: string): string {
  if (!/^\s*https?:/i.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  const hasLogin = url.username !== '' || url.password !== '';
  if (!hasLogin && url.search === '') return text;
  if (hasLogin) [url.username, url.password] = [MASK, ''];
  url.search = queryWithoutValues(url.search.slice(1));
  return url.href;
}

const queryWithoutValues = (query: string): string =>
  query
    .split('&')
    .map((field) => (field.includes('=') ? field.slice(0, field.indexOf('=') + 1) + MASK : field && MASK))
    .join('&');
