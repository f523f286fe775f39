import { type ReactNode, useEffect, useRef, useState } from 'react';
import type { StepStatus } from '#shared/domain/status';
import { counted } from '#shared/domain/words';
import { jobPath, useRead } from '../../api/queries';
import { Failed, Loading } from '../../ui/states';
import { Time } from '../../ui/time';

/** A line that a step's handler logged. */
interface LogLine {
  readonly at: string;
  readonly level: string;
  readonly step: string;
  readonly attempt: number;
  readonly message: string;
}

const SHOWN = 500;
const RUNNING_MS = 2_000;
/** Lines are stored a moment after they were logged, the last ones after the step has ended. */
const AFTER_END_MS = 1_500;
/** How near to its end a reader has to be to be taken along. */
const NEAR_PX = 40;

/** The lines of a step, or of all; read again while it runs. */
export function Logs({
  id,
  step,
  status,
}: {
  readonly id: string;
  /** null: of all steps */
  readonly step: string | null;
  /** Of the step; of all, `running` while any runs. */
  readonly status: StepStatus;
}): ReactNode {
  const everyMs = status === 'running' ? RUNNING_MS : 0;
  const { data, error, refetch } = useRead<{ items: LogLine[] }>(
    jobPath(id, 'logs'),
    { step: step ?? undefined },
    everyMs,
  );
  useEffect(() => {
    const timer = setTimeout(() => void refetch(), AFTER_END_MS);
    return () => clearTimeout(timer);
  }, [status, refetch]);
  if (!data) return error ? <Failed error={error} onRetry={() => void refetch()} /> : <Loading what="the logs" />;
  // What is shown until the first read of another step has come is of the step before.
  const lines = step === null ? data.items : data.items.filter((line) => line.step === step);
  if (lines.length === 0)
    return (
      <p className="quiet">{step === null ? 'No step has logged anything yet.' : `${step} has logged nothing.`}</p>
    );
  return <Lines key={step ?? ''} lines={lines} showsStep={step === null} />;
}

function Lines({ lines, showsStep }: { readonly lines: readonly LogLine[]; readonly showsStep: boolean }): ReactNode {
  const [isWhole, setWhole] = useState(false);
  const list = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const shown = isWhole ? lines : lines.slice(-SHOWN);
  const last = lines.at(-1);
  useEffect(() => {
    const { current } = list;
    if (current && isAtEnd.current) current.scrollTop = current.scrollHeight;
  }, [last?.at, lines.length]);
  const onScroll = (): void => {
    const { current } = list;
    if (current) isAtEnd.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR_PX;
  };
  return (
    <>
      <div className="buttons job-log-head">
        <span className="quiet">
          {counted(lines.length, 'line')}
          {shown.length < lines.length && `, the last ${shown.length} shown`}
        </span>
        {shown.length < lines.length && (
          <button type="button" onClick={() => setWhole(true)}>
            Show all
          </button>
        )}
      </div>
      <div ref={list} className="job-log" tabIndex={0} role="region" aria-label="Log lines" onScroll={onScroll}>
        {shown.map((line, at) => (
          <div key={lines.length - shown.length + at} className={`job-log-line job-log-${line.level}`}>
            <span className="quiet">
              <Time at={line.at} />
            </span>{' '}
            <span className="job-log-level">{line.level}</span>{' '}
            <span className="quiet">
              {showsStep && `${line.step} `}#{line.attempt}
            </span>{' '}
            <span className="job-text">{line.message}</span>
          </div>
        ))}
      </div>
    </>
  );
}
