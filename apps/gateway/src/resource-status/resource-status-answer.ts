import type { NatsBus } from '#shared/bus/nats-bus';
import { request } from '#shared/bus/signals';
import { resourceStatus, type ResourceStatus } from '#shared/contracts/resource-status';
import { resourceStatusOf, type ResourceStatusParts } from '#shared/contracts/resource-status-of';
import { RESOURCE_STATUS_REQUEST } from '#shared/contracts/subjects';
import type { StatusPartsReader } from '#shared/runtime/status-parts';

/** Together they leave some of the second that an answer may take. */
const ASK_LIMIT_MS = 500;
const OWN_LIMIT_MS = 350;

/** What the metrics service says of the fleet, or what the gateway itself can tell. */
export class ResourceStatusAnswer {
  private last: ResourceStatus | null = null;

  constructor(
    private readonly bus: NatsBus,
    private readonly own: Pick<StatusPartsReader, 'read'>,
  ) {}

  /**
   * From the metrics service; when that does not answer, from the store; what that does not say either is as it was known
   * last, or empty. Within a second, and never rejects.
   */
  async get(): Promise<ResourceStatus> {
    this.last = (await this.ask()) ?? withLast(await this.own.read(OWN_LIMIT_MS), this.last);
    return this.last;
  }

  private async ask(): Promise<ResourceStatus | null> {
    const answer = await request(this.bus, RESOURCE_STATUS_REQUEST, '', ASK_LIMIT_MS);
    if (answer.kind !== 'answered') return null;
    try {
      return resourceStatus.parse(JSON.parse(answer.payload));
    } catch {
      return null; // it cannot tell, or is of another version
    }
  }
}

function withLast(parts: ResourceStatusParts, last: ResourceStatus | null): ResourceStatus {
  const status = resourceStatusOf(parts, true);
  if (last === null) return status;
  const { tokens, limits, jobs, queues, metrics, workers } = last;
  return {
    ...status,
    ...(parts.usage === null && { metrics }),
    ...(parts.fleet === null && { tokens, limits, jobs, queues }),
    ...(parts.workers === null && { workers }),
  };
}
