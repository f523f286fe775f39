import { type ReactNode, useState } from 'react';
import type { JobView } from '#shared/contracts/job';
import { jobPath, useChange } from '../../api/queries';
import { Dialog, say } from '../../ui/actions';

const MINUTE_S = 60;

/** A time as the field for local times wants it. */
function fieldTime(ms: number): string {
  const at = new Date(ms);
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Asks when a scheduled job is to start, and tells the gateway. */
export function RescheduleDialog({ job, onClose }: { readonly job: JobView; readonly onClose: () => void }): ReactNode {
  const change = useChange<JobView>();
  const [isAtTime, setAtTime] = useState(true);
  const [time, setTime] = useState(() => fieldTime(job.eta === null ? Date.now() + 600_000 : Date.parse(job.eta)));
  const [minutes, setMinutes] = useState('10');
  const at = new Date(time);
  const isValid = isAtTime ? !Number.isNaN(at.getTime()) : minutes.trim() !== '' && Number(minutes) >= 0;
  const body = (): object => (isAtTime ? { eta: at.toISOString() } : { countdown: Number(minutes) * MINUTE_S });
  const send = async (): Promise<void> => {
    try {
      await change.mutateAsync({ path: jobPath(job.id, 'reschedule'), body: body() });
      say('It has another time now.');
      onClose();
    } catch {
      // The dialog says it.
    }
  };
  return (
    <Dialog title="Start at another time" onClose={onClose}>
      <form
        className="job-reschedule"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <p>
          <label>
            <input type="radio" name="how" checked={isAtTime} onChange={() => setAtTime(true)} /> at
          </label>{' '}
          <input
            type="datetime-local"
            aria-label="Local time"
            step={1}
            value={time}
            onFocus={() => setAtTime(true)}
            onChange={(event) => setTime(event.target.value)}
          />{' '}
          <span className="quiet">local time</span>
        </p>
        <p>
          <label>
            <input type="radio" name="how" checked={!isAtTime} onChange={() => setAtTime(false)} /> in
          </label>{' '}
          <input
            type="number"
            aria-label="Minutes from now"
            min={0}
            step="any"
            value={minutes}
            onFocus={() => setAtTime(false)}
            onChange={(event) => setMinutes(event.target.value)}
          />{' '}
          <span className="quiet">minutes</span>
        </p>
        {isAtTime && isValid && at.getTime() <= Date.now() && <p>That time is over: it would start at once.</p>}
        {change.error && (
          <p className="field-fault" role="alert">
            ✕ {change.error.message}
          </p>
        )}
        <div className="buttons">
          <button type="submit" className="main" disabled={!isValid || change.isPending}>
            {change.isPending ? 'Setting…' : 'Set the time'}
          </button>
          <button type="button" onClick={onClose}>
            Leave it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
