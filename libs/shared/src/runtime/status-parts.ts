import type { WorkerView } from '#shared/contracts/fleet';
import type { ResourceStatusParts } from '#shared/contracts/resource-status-of';
import type { FleetState, Usage } from '#shared/domain/usage/usage-figures';
import { Paced } from '#shared/runtime/paced';
import { within } from '#shared/runtime/within';

/** Where the parts of a resource status come from. Each may fail, and may be slow. */
export interface StatusReaders {
  readonly usage: { read(): Promise<Usage> };
  readonly fleet: { look(): Promise<FleetState> };
  readonly workers: { list(): Promise<readonly WorkerView[]> };
}

/** Reads what a resource status is made of, at most once a second each, however many ask. */
export class StatusPartsReader {
  private readonly workers: Paced<readonly WorkerView[]>;

  constructor(private readonly readers: StatusReaders) {
    this.workers = new Paced(() => readers.workers.list());
  }

  /** What can be read within the time; null for what cannot. Never rejects. */
  async read(limitMs: number): Promise<ResourceStatusParts> {
    const { usage, fleet } = this.readers;
    const [readUsage, readFleet, readWorkers] = await Promise.all([
      within(() => usage.read(), limitMs),
      within(() => fleet.look(), limitMs),
      within(() => this.workers.get(), limitMs),
    ]);
    return { usage: readUsage, fleet: readFleet, workers: readWorkers };
  }
}
