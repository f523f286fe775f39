import { type SyntheticEvent, type ReactNode, useId, useState } from 'react';
import type { JobView } from '#shared/contracts/job';
import { localTime } from '#shared/domain/words';
import { serverNow } from '../api/clock';
import { jobPath, useChange } from '../api/queries';
import { Dialog, say } from './actions';
import { fromLocalInput, toLocalInput } from './local-input';

const MINUTE_MS = 60_000;
const SHORTCUTS: readonly (readonly [string, number])[] = [
  ['in 10 minutes', 10 * MINUTE_MS],
  ['in an hour', 60 * MINUTE_MS],
  ['in a day', 1_440 * MINUTE_MS],
];

/** Asks for another start of a job that is held. */
export function Reschedule({ job, onClose }: { readonly job: JobView; readonly onClose: () => void }): ReactNode {
  const change = useChange<JobView>();
  const [before] = useState(toLocalInput(job.eta ?? ''));
  const [text, setText] = useState(before);
  const [fault, setFault] = useState<string | null>(null);
  const [field, told] = [useId(), useId()];
  const move = async (event: SyntheticEvent): Promise<void> => {
    event.preventDefault();
    // An hour that comes twice in autumn has one name: what was not touched stays as it is.
    const eta = text === before ? (job.eta ?? '') : fromLocalInput(text);
    if (eta === '') return setFault('Expected a day and a time.');
    try {
      const moved = await change.mutateAsync({ path: jobPath(job.id, 'reschedule'), body: { eta } });
      say(moved.status === 'scheduled' ? `The job starts at ${localTime(eta)}.` : 'The job starts now.');
      onClose();
    } catch (error) {
      setFault((error as Error).message);
    }
  };
  return (
    <Dialog title="Reschedule" onClose={onClose}>
      <form onSubmit={(event) => void move(event)}>
        <p className="id">{job.id}</p>
        <div className="field">
          <label htmlFor={field}>New start, by your clock</label>
          <input
            id={field}
            type="datetime-local"
            step={1}
            value={text}
            aria-invalid={fault !== null}
            aria-describedby={told}
            onChange={(event) => setText(event.target.value)}
          />
          {isPast(text) && <span className="retried">⚠ That time is past: the job would start at once.</span>}
          <span id={told} className="field-fault" role="alert">
            {fault}
          </span>
        </div>
        <p className="buttons">
          {SHORTCUTS.map(([words, ms]) => (
            <button
              key={words}
              type="button"
              onClick={() => setText(toLocalInput(new Date(serverNow() + ms).toISOString()))}
            >
              {words}
            </button>
          ))}
        </p>
        <div className="buttons">
          <button type="submit" className="main" disabled={change.isPending}>
            Reschedule
          </button>
          <button type="button" onClick={onClose}>
            Leave it
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const isPast = (text: string): boolean => {
  const eta = fromLocalInput(text);
  return eta !== '' && Date.parse(eta) <= serverNow();
};
