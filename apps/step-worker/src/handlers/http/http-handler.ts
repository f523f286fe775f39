import type { StepContext, StepHandler } from '#shared/contracts/handler';
import { httpDefinition, type HttpOptions, isHeaderText } from '#shared/contracts/handlers/http';
import type { Json } from '#shared/domain/json';
import { PermanentError } from '#shared/domain/step-errors';
import { SecretMask } from '../secrets/secret-mask';
import type { SecretReader } from '../secrets/secret-reader';
import { outputOf, shownUrl } from './http-answer';
import { HttpConnections } from './http-connections';

/** Sends the job to a URL and takes its answer for the output. */
export class HttpHandler implements StepHandler<HttpOptions> {
  readonly definition = httpDefinition;
  private readonly connections = new HttpConnections();

  constructor(private readonly secrets: SecretReader) {}

  async run(context: StepContext<HttpOptions>): Promise<Json> {
    const { options, signal } = context;
    const { values, secrets } = await this.secrets.resolve(options.headers);
    const login = loginOf(options.url);
    const mask = new SecretMask([...secrets, ...login.secrets]);
    const shown = mask.text(`${options.method} ${shownUrl(options.url)}`);
    const request = {
      url: login.url,
      method: options.method,
      headers: headersOf(context, { ...login.headers, ...lowerCased(values, options) }),
      body: options.method === 'GET' ? null : bodyOf(context),
      signal,
    };
    const answer = await this.connections.send(request, shown);
    const hide = (text: string, isCut?: boolean): string => mask.text(text, isCut);
    const log = (line: string): void => context.log('warn', mask.text(line));
    return mask.json(outputOf(answer, shown, { nowMs: Date.now(), hide, log }));
  }

  /** Ends the connections that are kept. */
  close(): Promise<void> {
    return this.connections.close();
  }
}

function bodyOf({ jobId, step, attempt, idempotencyKey, input, outputs, options }: StepContext<HttpOptions>): string {
  return JSON.stringify({
    job_id: jobId,
    step,
    attempt,
    idempotency_key: idempotencyKey,
    input: input.input,
    outputs,
    body: options.body,
  });
}

function headersOf(context: StepContext<HttpOptions>, given: Record<string, string>): Record<string, string> {
  return {
    ...(context.options.method === 'GET' ? {} : { 'content-type': 'application/json' }),
    'user-agent': 'sluice',
    accept: 'application/json, */*;q=0.5',
    ...given,
    'idempotency-key': context.idempotencyKey,
  };
}

/** @throws PermanentError for a secret that a header cannot hold; the texts were checked with the options */
function lowerCased(values: Readonly<Record<string, string>>, options: HttpOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    const text = options.headers[name];
    if (!isHeaderText(value)) {
      const secret = typeof text === 'object' ? text.secret : '';
      const remedy = 'a header takes one line of Latin letters: correct it on this worker';
      throw new PermanentError(`the secret ${secret} cannot be sent as the header ${name}: ${remedy}`, 'secret_unfit');
    }
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

/** User and password of the address become a header: in the address they would be repeated by whoever shows it. */
function loginOf(text: string): { url: string; headers: Record<string, string>; secrets: string[] } {
  const url = new URL(text);
  if (url.username === '' && url.password === '') return { url: url.href, headers: {}, secrets: [] };
  const [user, password] = [decoded(url.username), decoded(url.password)];
  const basic = Buffer.from(`${user}:${password}`).toString('base64');
  const secrets = [basic, password, url.password].filter((secret) => secret !== '');
  url.username = '';
  url.password = '';
  return { url: url.href, headers: { authorization: `Basic ${basic}` }, secrets };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
