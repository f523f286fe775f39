import { createHash } from 'node:crypto';
import { idempotencyKey, type SubmitRequest, submitRequest } from '#shared/contracts/ingest-request';
import { inputFaults } from '#shared/contracts/input-faults';
import { InvalidInput } from '#shared/domain/errors';
import { canonicalJson } from '#shared/domain/json';

/** One job as it was asked for: its form is right, what it names is not looked up yet. */
export interface Submission {
  readonly request: SubmitRequest;
  readonly key: string | null;
  /** Of the body without its key, whatever the order of its fields; null without a key. */
  readonly requestHash: string | null;
  /** The recurring schedule that it is a run of. */
  readonly scheduleId?: string;
}

/**
 * Checks the form of a job that is submitted.
 * @param headerKey the `Idempotency-Key` header; the body may say the same
 * @throws InvalidInput with every fault
 */
export function readSubmission(body: unknown, headerKey?: string): Submission {
  const parsed = submitRequest.safeParse(body);
  if (!parsed.success) throw new InvalidInput(inputFaults(parsed.error));
  const request = parsed.data;
  const key = keyOf(request, headerKey);
  return { request, key, requestHash: key === null ? null : hashOf(body as object) };
}

function keyOf(request: SubmitRequest, headerKey: string | undefined): string | null {
  const bodyKey = request.idempotency_key ?? null;
  if (headerKey === undefined) return bodyKey;
  const parsed = idempotencyKey.safeParse(headerKey);
  if (!parsed.success) throw new InvalidInput(inputFaults(parsed.error, ['Idempotency-Key']));
  if (bodyKey !== null && bodyKey !== headerKey) {
    throw new InvalidInput([{ path: 'idempotency_key', message: 'is another one than in the Idempotency-Key header' }]);
  }
  return headerKey;
}

/** As it was sent: a countdown means another time at each repetition, and yet the request is the same. */
function hashOf(body: object): string {
  const fields = Object.entries(body).filter(([name, value]) => name !== 'idempotency_key' && value !== null);
  return createHash('sha256')
    .update(canonicalJson(Object.fromEntries(fields)))
    .digest('base64url');
}
