import { NatsError } from 'nats';
import { words } from '#shared/bus/connection-keeper';

/** The server has no JetStream: nothing will work until its operator turns it on. */
export class JetStreamDisabledError extends Error {
  constructor() {
    super(
      'JetStream is not enabled on the NATS server: start it with "nats-server -js -sd FOLDER", ' +
        'or put "jetstream { store_dir: FOLDER }" into its configuration',
    );
  }
}

/** A stream of our name exists and cannot be made ours. */
export class StreamConflictError extends Error {}

/** JetStream's error codes that decide something here. */
const STREAM_NOT_FOUND = 10_059;
const CONSUMER_NOT_FOUND = 10_014;
const NO_MESSAGE_FOUND = 10_037;
const STREAM_NAME_IN_USE = 10_058;
const CONSUMER_EXISTS = 10_148;
const NOT_ENABLED = [10_076, 10_039];

const codeOf = (error: unknown): number | undefined =>
  error instanceof NatsError ? error.api_error?.err_code : undefined;

const hasCode = (error: unknown, ...codes: readonly number[]): boolean => codes.includes(codeOf(error) ?? 0);

export const isStreamMissing = (error: unknown): boolean => hasCode(error, STREAM_NOT_FOUND);
export const isConsumerMissing = (error: unknown): boolean => hasCode(error, CONSUMER_NOT_FOUND);
export const isNoMessage = (error: unknown): boolean => hasCode(error, NO_MESSAGE_FOUND);
/** Somebody else made it at the same moment, differently. */
export const isMadeByOther = (error: unknown): boolean => hasCode(error, STREAM_NAME_IN_USE, CONSUMER_EXISTS);

/** The error with a remedy where there is one, and always with what was asked for. */
export function explain(error: unknown, what: string, serverHasJetStream: boolean): Error {
  if (error instanceof StreamConflictError) return error;
  if (hasCode(error, ...NOT_ENABLED)) return new JetStreamDisabledError();
  if (error instanceof NatsError && error.code === '503' && !error.api_error) {
    return serverHasJetStream
      ? new Error(`${what}: JetStream does not answer; it may be starting`)
      : new JetStreamDisabledError();
  }
  return new Error(`${what}: ${words(error)}`, { cause: error });
}
