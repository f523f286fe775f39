import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { JobView } from '#shared/contracts/job';
import { counted } from '#shared/domain/words';
import { CallError } from '../../api/client';
import { useJob } from '../../api/queries';
import { Status } from '../../ui/status';

/** So many are looked up; of the others only the links are shown. */
const LOOKED_UP = 20;

/** The jobs that this one needs, how they stand, and what that means for it. */
export function DependsOn({ job }: { readonly job: JobView }): ReactNode {
  const { depends_on: ids, status, on_dependency_failure: onFailure } = job;
  const then =
    onFailure === 'run'
      ? 'It runs also when one of them fails or is cancelled.'
      : 'It fails when one of them fails or is cancelled.';
  const isHeld = status === 'waiting' || status === 'scheduled';
  return (
    <div className="job-depends">
      <h2>Depends on {counted(ids.length, 'job')}</h2>
      {status === 'waiting' && <p>It waits until they have ended. {then}</p>}
      {status === 'scheduled' && <p>Once its time has come, it waits until they have ended. {then}</p>}
      <ul>
        {ids.map((id, at) => (
          <li key={id}>
            <Link className="id" href={`/jobs/${encodeURIComponent(id)}`}>
              {id}
            </Link>{' '}
            {at < LOOKED_UP && <Standing id={id} isHeld={isHeld} />}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Standing({ id, isHeld }: { readonly id: string; readonly isHeld: boolean }): ReactNode {
  const { data, error } = useJob(id);
  if (error instanceof CallError && error.status === 404) return <span className="quiet">has been deleted</span>;
  if (!data) return <span className="quiet">…</span>;
  return (
    <>
      <span className="quiet">{data.pipeline}</span> <Status of={data.status} />{' '}
      {isHeld && data.completed_at === null && (
        <span className="quiet">is waited for, at {Math.floor(data.progress)} %</span>
      )}
    </>
  );
}
