import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { duration } from '#shared/domain/words';
import { QueueTable } from '../resources/fleet-tables';

/** Queues, workers and tokens as they are now. */
export function Fleet({ status }: { readonly status: ResourceStatus }): ReactNode {
  const { queues, workers, tokens } = status;
  const alive = workers.filter((worker) => worker.status === 'alive');
  const gone = workers.length - alive.length;
  const sum = (counts: readonly number[]): number => counts.reduce((total, each) => total + each, 0);
  const pools = Object.entries(tokens.pools);
  const oldest = oldestOf(queues);
  return (
    <div className="columns">
      <section className="panel" aria-labelledby="queues">
        <h2 id="queues">Queues</h2>
        <p>
          {oldest === null
            ? 'No step is waiting.'
            : `The oldest step that is ready has waited ${duration(oldest.seconds * 1_000)}, in queue ${oldest.queue}.`}
        </p>
        <QueueTable queues={queues} />
      </section>
      <section className="panel" aria-labelledby="fleet">
        <h2 id="fleet">Workers and tokens</h2>
        <dl className="facts">
          <div>
            <dt>workers</dt>
            <dd>
              <Link href="/resources#workers">
                {alive.length} alive{gone > 0 ? `, ${gone} gone` : ''}
              </Link>
            </dd>
          </div>
          <div>
            <dt>slots in use</dt>
            <dd className="number">
              {sum(alive.map(({ running }) => running))} of {sum(alive.map(({ capacity }) => capacity))}
            </dd>
          </div>
          {pools.map(([name, { available, max }]) => (
            <div key={name}>
              <dt>tokens of {name}</dt>
              <dd className="number">
                <Link href="/resources#tokens">
                  {available} of {max} free
                </Link>
              </dd>
            </div>
          ))}
          {pools.length === 0 && (
            <div>
              <dt>tokens</dt>
              <dd className="quiet">no pools are configured</dd>
            </div>
          )}
        </dl>
      </section>
    </div>
  );
}

function oldestOf(queues: ResourceStatus['queues']): { readonly queue: string; readonly seconds: number } | null {
  let oldest: { queue: string; seconds: number } | null = null;
  for (const [queue, { oldest_ready_seconds: seconds }] of Object.entries(queues)) {
    if (seconds !== null && (oldest === null || seconds > oldest.seconds)) oldest = { queue, seconds };
  }
  return oldest;
}
