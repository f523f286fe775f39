import './resources.css';
import { Fragment, type ReactNode } from 'react';
import { Link } from 'wouter';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { said } from '../../ui/chart-words';
import { Ago } from '../../ui/time';
import { count, megabytes, percents, seconds } from './step-rows';

type Pool = ResourceStatus['limits'][string];

/** Holders that are named at once; the others unfold. */
const FEW = 5;

export function QueueTable({ queues }: { readonly queues: ResourceStatus['queues'] }): ReactNode {
  const entries = Object.entries(queues);
  if (entries.length === 0) return <p className="quiet">No queues are known.</p>;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Queues">
      <table className="figures">
        <thead>
          <tr>
            <th scope="col">queue</th>
            <th scope="col" className="right">
              ready
            </th>
            <th scope="col" className="right">
              running
            </th>
            <th scope="col" className="right">
              retrying
            </th>
            <th scope="col" className="right">
              oldest ready
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map(([name, { ready, running, retrying, oldest_ready_seconds: oldest }]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className="right">{ready === null ? <span title="NATS does not say">?</span> : count(ready)}</td>
              <td className="right">{count(running)}</td>
              <td className="right">
                {retrying > 0 ? (
                  <Link href="/jobs?status=retrying" className="retried">
                    {count(retrying)}
                  </Link>
                ) : (
                  count(retrying)
                )}
              </td>
              <td className="right">{said(oldest, seconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Pools of tokens, and limits of steps: how much is in use, and who holds it. */
export function PoolTable({ tokens, limits }: Pick<ResourceStatus, 'tokens' | 'limits'>): ReactNode {
  const rows = [
    ...Object.entries(tokens.pools).map(([name, pool]) => ({ name, kind: 'tokens', pool })),
    ...Object.entries(limits).map(([name, pool]) => ({ name, kind: 'limit of a step', pool })),
  ];
  if (rows.length === 0)
    return (
      <p className="quiet">
        None: no pipeline asks for <code>resources</code>, and no step has a <code>concurrency</code> of its own.
      </p>
    );
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Tokens and limits">
      <table className="figures">
        <thead>
          <tr>
            <th scope="col">name</th>
            <th scope="col">kind</th>
            <th scope="col" className="right">
              free
            </th>
            <th scope="col" className="right">
              of
            </th>
            <th scope="col">held by</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, kind, pool }) => (
            <tr key={`${kind} ${name}`}>
              <th scope="row">{name}</th>
              <td className="nowrap">{kind}</td>
              <td className="right">
                {pool.available <= 0 ? <span className="retried">{pool.available}</span> : pool.available}
              </td>
              <td className="right">{pool.max}</td>
              <td className="nowrap">
                <Holders of={pool.held_by} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Holders({ of: holders }: { readonly of: Pool['held_by'] }): ReactNode {
  if (holders.length === 0) return <span className="quiet">nobody</span>;
  return (
    <>
      <HolderList of={holders.slice(0, FEW)} />
      {holders.length > FEW && (
        <details>
          <summary>{holders.length - FEW} more</summary>
          <HolderList of={holders.slice(FEW)} />
        </details>
      )}
    </>
  );
}

function HolderList({ of: holders }: { readonly of: Pool['held_by'] }): ReactNode {
  return holders.map(({ job_id: id, step, tokens }, nth) => (
    <Fragment key={`${id} ${step}`}>
      {nth > 0 && ', '}
      <Link href={`/jobs/${encodeURIComponent(id)}`} title={id}>
        {step} of …{id.slice(-8)}
      </Link>
      {tokens === 1 ? '' : ` (${tokens})`}
    </Fragment>
  ));
}

export function WorkerTable({ workers }: Pick<ResourceStatus, 'workers'>): ReactNode {
  if (workers.length === 0)
    return (
      <p className="quiet">
        No workers are known. <code>npm start</code> brings some up; <code>npm run start:step-worker</code> adds one.
      </p>
    );
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Workers">
      <table className="figures">
        <thead>
          <tr>
            <th scope="col">worker</th>
            <th scope="col">status</th>
            <th scope="col">last seen</th>
            <th scope="col" className="right">
              running
            </th>
            <th scope="col" className="right">
              slots
            </th>
            <th scope="col" className="right">
              CPU
            </th>
            <th scope="col" className="right">
              memory
            </th>
            <th scope="col">version</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => (
            <tr key={worker.id}>
              <th scope="row" title={worker.id}>
                {worker.name}
              </th>
              <td>
                {worker.status === 'alive' ? (
                  <span className="status status-completed">✓ alive</span>
                ) : (
                  <span className="status status-failed">✕ gone</span>
                )}
              </td>
              <td className="nowrap">
                <Ago at={worker.last_seen} />
              </td>
              <td className="right">{worker.running}</td>
              <td className="right">{worker.capacity}</td>
              <td className="right">{said(worker.cpu_percent, percents)}</td>
              <td className="right">{said(worker.memory_mb, megabytes)}</td>
              <td>{worker.version}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
