import type { NatsBus, Unsubscribe } from '#shared/bus/nats-bus';
import { respond } from '#shared/bus/signals';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { resourceStatusOf } from '#shared/contracts/resource-status-of';
import { NO_STATUS, RESOURCE_STATUS_REQUEST } from '#shared/contracts/subjects';
import { StatusPartsReader, type StatusReaders } from '#shared/runtime/status-parts';

/** Less than the gateway waits: it then asks elsewhere. */
const LIMIT_MS = 400;
/** Metrics services share the requests: any of them answers. */
const QUEUE = 'metrics';
/** Of what is too large to be sent so many holders of tokens and workers are left. */
const HOLDERS_LEFT = 5;
const WORKERS_LEFT = 200;

/** Answers requests for the resource status; where a part cannot be read, it says at once that it has none. */
export function answerResourceStatus(bus: NatsBus, readers: StatusReaders): Unsubscribe {
  const parts = new StatusPartsReader(readers);
  const answer = async (): Promise<string> => {
    const read = await parts.read(LIMIT_MS);
    if (read.usage === null || read.fleet === null || read.workers === null) return NO_STATUS;
    const status = resourceStatusOf(read, false);
    const text = JSON.stringify(status);
    return Buffer.byteLength(text) <= bus.maxPayloadBytes ? text : JSON.stringify(shortened(status));
  };
  return respond(bus, RESOURCE_STATUS_REQUEST, answer, QUEUE);
}

function shortened(status: ResourceStatus): ResourceStatus {
  const short = (pools: ResourceStatus['limits']): ResourceStatus['limits'] =>
    Object.fromEntries(
      Object.entries(pools).map(([name, pool]) => [name, { ...pool, held_by: pool.held_by.slice(0, HOLDERS_LEFT) }]),
    );
  return {
    ...status,
    tokens: { ...status.tokens, pools: short(status.tokens.pools) },
    limits: short(status.limits),
    workers: status.workers.slice(0, WORKERS_LEFT),
  };
}
