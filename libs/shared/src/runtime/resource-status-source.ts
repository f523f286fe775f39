import type { WorkerView } from '#shared/contracts/fleet';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { resourceStatusOf, type ResourceStatusParts } from '#shared/contracts/resource-status-of';
import type { FleetState, Usage } from '#shared/domain/usage/usage-figures';

/** Where the parts of a status come from. Each may fail, and may be slow. */
export interface StatusReaders {
  readonly usage: () => Promise<Usage>;
  readonly fleet: () => Promise<FleetState>;
  readonly workers: () => Promise<readonly WorkerView[]>;
}

/** Puts the resource status together from what the store and the bus say. */
export class ResourceStatusSource {
  private lastKnown: ResourceStatusParts = { usage: null, fleet: null, workers: null };

  constructor(private readonly readers: StatusReaders) {}

  /** All of it, as it is now. @throws when a part cannot be read */
  async read(): Promise<ResourceStatus> {
    const { usage, fleet, workers } = this.readers;
    const parts = await Promise.all([usage(), fleet(), workers()]);
    this.lastKnown = { usage: parts[0], fleet: parts[1], workers: parts[2] };
    return resourceStatusOf(this.lastKnown, false);
  }

  /** What can be read within the time, the rest as it was known last; marked as stale. Never rejects. */
  async readWithin(limitMs: number): Promise<ResourceStatus> {
    const { usage, fleet, workers } = this.readers;
    const [newUsage, newFleet, newWorkers] = await Promise.all([
      within(usage, limitMs),
      within(fleet, limitMs),
      within(workers, limitMs),
    ]);
    this.lastKnown = {
      usage: newUsage ?? this.lastKnown.usage,
      fleet: newFleet ?? this.lastKnown.fleet,
      workers: newWorkers ?? this.lastKnown.workers,
    };
    return resourceStatusOf(this.lastKnown, true);
  }
}

/** Null when it fails or takes longer; it then goes on for itself. */
async function within<T>(read: () => Promise<T>, limitMs: number): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), limitMs)));
  const result = (async () => read())().catch(() => null);
  return Promise.race([result, limit]).finally(() => clearTimeout(timer));
}
