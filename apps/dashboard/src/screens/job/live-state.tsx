import { type ReactNode, useEffect, useState } from 'react';
import type { SocketState } from '../../live/socket';
import { Time } from '../../ui/time';

/** Whether what is shown is live, and if not, since when. */
export function LiveState({ state, hasEnded }: { readonly state: SocketState; readonly hasEnded: boolean }): ReactNode {
  const [lostAt, setLostAt] = useState<string | null>(null);
  const [backAt, setBackAt] = useState<string | null>(null);
  useEffect(() => {
    const now = new Date().toISOString();
    if (state === 'lost') {
      setLostAt((since) => since ?? now);
      setBackAt(null);
    } else if (state !== 'connecting' && lostAt !== null) {
      setLostAt(null);
      setBackAt(now);
    }
  }, [state, lostAt]);
  return (
    <p className={`job-live job-live-${state}`} role="status">
      {state === 'connecting' && 'Connecting for live updates…'}
      {state === 'lost' && (
        <>
          ⚠ Live updates were lost at <Time at={lostAt} />. Connecting again by itself; until then this is read every 15
          seconds.
        </>
      )}
      {state === 'live' && backAt === null && '● Live'}
      {state === 'live' && backAt !== null && (
        <>
          ● Live again, from a fresh snapshot of <Time at={backAt} />
        </>
      )}
      {state === 'over' && (hasEnded ? 'It has ended: nothing changes by itself any more.' : 'Not live.')}
    </p>
  );
}
