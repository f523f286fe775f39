import type { ResourceHistory } from '#shared/contracts/resource-history';
import { resourceHistoryOf } from '#shared/contracts/resource-history-of';
import { within } from '#shared/runtime/within';
import type { UsageReader } from '#shared/store/usage/usage-reader';

/** Leaves some of the second that an answer may take. */
const LIMIT_MS = 700;

/** What the last hour came to, or what was known of it last. */
export class ResourceHistoryAnswer {
  private last: ResourceHistory = resourceHistoryOf(null);

  constructor(private readonly usage: Pick<UsageReader, 'readHistory'>) {}

  /** From the store; when that does not answer, as it was known last, or empty. Within a second, and never rejects. */
  async get(): Promise<ResourceHistory> {
    const history = await within(() => this.usage.readHistory(), LIMIT_MS);
    this.last = history === null ? { ...this.last, stale: true } : resourceHistoryOf(history);
    return this.last;
  }
}
