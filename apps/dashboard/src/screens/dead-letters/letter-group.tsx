import type { ReactNode } from 'react';
import { Link, useSearch } from 'wouter';
import type { DeadLetterGroups, DeadLetterPage, DeadLetterView } from '#shared/contracts/dead-letter';
import type { JobView } from '#shared/contracts/job';
import { counted } from '#shared/domain/words';
import { useChange, usePages, useRead } from '../../api/queries';
import { Action } from '../../ui/actions';
import { Json } from '../../ui/json';
import { More } from '../../ui/more';
import { Empty, Failed, Loading } from '../../ui/states';
import { useStill } from '../../ui/still';
import { Ago, Time } from '../../ui/time';
import { RedriveAll } from './redrive-all';

/** The dead letters with one fingerprint: one by one, the newest first. */
export function LetterGroup({ fingerprint }: { readonly fingerprint: string }): ReactNode {
  const groups = useRead<DeadLetterGroups>('/v1/dead_letters', { group_by: 'fingerprint', fingerprint, limit: 1 });
  const pages = usePages<DeadLetterPage>('/v1/dead_letters', { fingerprint, limit: 20 }, 5_000);
  const search = useSearch();
  const letters = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  const [group] = groups.data?.items ?? [];
  return (
    <>
      <p className="back">
        <Link href={`/dead-letters${search === '' ? '' : `?${search}`}`}>← All dead letters</Link>
      </p>
      <h1>{group ? `${group.pipeline} / ${group.step}` : 'Dead letters'}</h1>
      {group && (
        <section className="panel" aria-labelledby="failed">
          <div className="heading">
            <h2 id="failed">
              {counted(group.count, 'dead letter')} <span className="kind">✕ {group.error.kind}</span>{' '}
              {group.error.code !== null && <code className="quiet">{group.error.code}</code>}
            </h2>
            <RedriveAll label="Redrive all of this group" body={{ fingerprint }} />
          </div>
          <pre className="code" tabIndex={0} aria-label="Error of the newest">
            {group.error.message}
          </pre>
          <p className="quiet">
            first <Time at={group.first_at} />, last <Time at={group.last_at} /> (<Ago at={group.last_at} />) ·
            fingerprint <code>{fingerprint}</code>
          </p>
        </section>
      )}
      {pages.isPending && <Loading what="the dead letters" />}
      {pages.error && !pages.data && <Failed error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.data && letters.length === 0 && (
        <Empty title="There is no dead letter of this kind.">
          <p>They may have been redriven: their jobs go on.</p>
        </Empty>
      )}
      <Letters letters={letters} />
      <More pages={pages} />
    </>
  );
}

function Letters({ letters }: { readonly letters: readonly DeadLetterView[] }): ReactNode {
  const { rows, hold } = useStill(letters, ({ id }) => id);
  if (rows.length === 0) return null;
  return (
    <section className="panel" aria-labelledby="each">
      <h2 id="each">One by one</h2>
      <ul className="entries of-group" {...hold}>
        {rows.map(({ value, isGone }) => (
          <Letter key={value.id} letter={value} isGone={isGone} />
        ))}
      </ul>
    </section>
  );
}

function Letter({ letter, isGone }: { readonly letter: DeadLetterView; readonly isGone: boolean }): ReactNode {
  const change = useChange<JobView>();
  const { source, commit, branch } = letter.payload;
  return (
    <li className={isGone ? 'gone' : undefined}>
      <span>
        <Link className="row id" href={`/jobs/${letter.job_id}`}>
          {letter.job_id}
        </Link>
        <br />
        <Time at={letter.created_at} />{' '}
        <span className="quiet">
          (<Ago at={letter.created_at} />) after {counted(letter.attempts, 'attempt')}
          {source !== null && ` · ${source}`}
          {branch !== null && ` · ${branch}`}
          {commit !== null && ` · ${commit.slice(0, 12)}`}
        </span>
        <span className="message">{letter.error.message}</span>
      </span>
      {isGone ? (
        <span className="does quiet">redriven: the job goes on</span>
      ) : (
        <span className="does">
          <Action
            label="Redrive"
            hint="The job goes on from its failed steps"
            onDo={() => change.mutateAsync({ path: `/v1/dead_letters/${encodeURIComponent(letter.id)}/redrive` })}
            done="Redriven: the job goes on."
          />
        </span>
      )}
      <details>
        <summary>Payload</summary>
        <Json value={letter.payload} />
      </details>
    </li>
  );
}
