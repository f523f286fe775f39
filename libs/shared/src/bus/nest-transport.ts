import { type ClientProxy, type Deserializer, type NatsOptions, Transport } from '@nestjs/microservices';
import { firstValueFrom, timeout } from 'rxjs';
import { parseNatsUrl } from '#shared/bus/nats-url';

/** What a handler is given for a message that is no JSON. */
export interface MalformedMessage {
  readonly malformed: true;
}

const MALFORMED: MalformedMessage = Object.freeze({ malformed: true });

/** Whether a handler's payload is what is left of a message that is no JSON. */
export const isMalformed = (payload: unknown): payload is MalformedMessage => payload === MALFORMED;

export interface NestTransportOptions {
  readonly url: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** One of the services with the same queue gets each message; without one, all do. */
  readonly queue?: string;
}

/**
 * Nest's NATS transport for `connectMicroservice`: core NATS, at most once, for request-reply and wake-ups. It waits for
 * its first connection, so do not await `startAllMicroservices` where the service is to start without NATS.
 */
export function natsMicroserviceOptions({ url, name, queue }: NestTransportOptions): NatsOptions {
  const options = { ...connection(url, name), deserializer: new RequestDeserializer() };
  return { transport: Transport.NATS, options: queue === undefined ? options : { ...options, queue } };
}

/** The same for `ClientProxyFactory.create` and `ClientsModule.register`. Ask with `askWithin`. */
export function natsClientOptions({ url, name }: Omit<NestTransportOptions, 'queue'>): NatsOptions {
  return { transport: Transport.NATS, options: { ...connection(url, name), deserializer: new ResponseDeserializer() } };
}

/** `send` with a time limit. Rejects with an `Error`, whatever came back or did not. */
export async function askWithin<T>(client: ClientProxy, pattern: string, data: unknown, timeoutMs: number): Promise<T> {
  try {
    return await firstValueFrom(client.send<T>(pattern, data).pipe(timeout(timeoutMs)));
  } catch (error) {
    if (error instanceof Error) throw error;
    throw new Error(`${pattern} was answered with an error: ${JSON.stringify(error)}`);
  }
}

const connection = (url: string, name: string): NonNullable<NatsOptions['options']> => ({
  ...parseNatsUrl(url),
  name,
  resolve: false,
  maxReconnectAttempts: -1,
  reconnectTimeWait: 500,
  reconnectJitter: 500,
  waitOnFirstConnect: true,
  pingInterval: 5_000,
  maxPingOut: 2,
  timeout: 3_000,
});

interface Packet {
  readonly [field: string]: unknown;
}

/**
 * Nest's own deserializers throw on what is no JSON, where nobody catches it: one such message ends the process.
 * What is no packet of Nest's is taken as the payload itself.
 */
class RequestDeserializer implements Deserializer<Uint8Array, { pattern: string; data: unknown }> {
  deserialize(bytes: Uint8Array, { channel = '' }: { channel?: string } = {}): { pattern: string; data: unknown } {
    const value = parseJson(bytes);
    if (isPacket(value) && ('pattern' in value || 'data' in value)) {
      return { ...value, pattern: channel, data: value.data };
    }
    return { pattern: channel, data: value };
  }
}

class ResponseDeserializer implements Deserializer<Uint8Array, Packet & { id: string }> {
  deserialize(bytes: Uint8Array): Packet & { id: string } {
    const value = parseJson(bytes);
    if (value === MALFORMED) return { id: '', err: 'the reply is no JSON', isDisposed: true };
    const isReply = isPacket(value) && ('err' in value || 'response' in value || 'isDisposed' in value);
    if (!isReply) return { id: '', response: value, isDisposed: true };
    return { ...value, id: typeof value.id === 'string' ? value.id : '' };
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch {
    return MALFORMED;
  }
}

const isPacket = (value: unknown): value is Packet =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && value !== MALFORMED;
