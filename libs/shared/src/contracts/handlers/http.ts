import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { textOrSecret } from '#shared/contracts/handlers/text-or-secret';

const URL_FORM = 'an address like https://example.org/path';

const isHttpUrl = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);

/** What every request says by itself, and what the connection decides. */
const OWN_HEADERS = new Set([
  ...['connection', 'content-length', 'expect', 'idempotency-key', 'keep-alive', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'proxy-connection'],
]);

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/, 'the name of a header')
  .refine((name) => !OWN_HEADERS.has(name.toLowerCase()), 'a header that Sluice does not set by itself');

/** What one line of a header can hold. */
export const isHeaderText = (text: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(text);

const headers = z
  .record(headerName, textOrSecret(isHeaderText, 'a text without line ends'))
  .refine((all) => {
    const names = Object.keys(all).map((name) => name.toLowerCase());
    return new Set(names).size === names.length;
  }, 'each header once, whatever the case of its letters')
  .default({});

const httpOptions = z.strictObject({
  url: z
    .string()
    .refine(isHttpUrl, URL_FORM)
    .describe('Where the request goes: any http or https address, loopback included.'),
  method: z
    .enum(['POST', 'PUT', 'PATCH', 'DELETE', 'GET'])
    .default('POST')
    .describe('How it is sent; GET is sent without a body.'),
  headers: headers.describe('More headers by name: a text, or { secret: NAME } of the environment of the worker.'),
  body: z.json().default(null).describe('Any JSON, sent as the field "body"; a job may set it.'),
});

export type HttpOptions = z.infer<typeof httpOptions>;

export const httpDefinition: HandlerDefinition<HttpOptions> = {
  name: 'http',
  description: 'Sends the job to a URL; what it answers is the output of the step.',
  options: httpOptions,
  jobOptions: ['body'],
  repeatable: false,
};
