import { type ReactNode, useState } from 'react';
import type { LastErrorView } from '#shared/contracts/job';
import { Json } from '../../ui/json';
import { Ago } from '../../ui/time';

/** Something long that is shown when it is asked for; it is made only then. */
export function Fold({
  title,
  children,
}: {
  readonly title: ReactNode;
  readonly children: () => ReactNode;
}): ReactNode {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="job-fold" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {isOpen && children()}
    </details>
  );
}

/** JSON behind its title; where there is none, or nothing in it, that is said. */
export function JsonFold({ title, value }: { readonly title: string; readonly value: unknown }): ReactNode {
  if (value === null || value === undefined) return <span className="quiet">–</span>;
  const text = JSON.stringify(value);
  if (text === '{}') return <span className="quiet">{'{}'}</span>;
  return <Fold title={`${title} (${sizeOf(text.length)})`}>{() => <Json value={value} />}</Fold>;
}

const sizeOf = (characters: number): string =>
  characters < 1_000 ? `${characters} characters` : `${(characters / 1_000).toFixed(1)} k characters`;

const LONG = 140;

/** A message of any length: the beginning of a long one, and the whole of it when it is asked for. */
export function LongText({ text }: { readonly text: string }): ReactNode {
  if (text.length <= LONG && !text.includes('\n')) return <span className="job-text">{text}</span>;
  const beginning = text.slice(0, LONG).split('\n', 1)[0] ?? '';
  return (
    <Fold title={<span className="job-text">{beginning}…</span>}>
      {() => (
        <pre className="code" tabIndex={0}>
          {text}
        </pre>
      )}
    </Fold>
  );
}

/** What went wrong: what kind of error, in which attempt, when, and the message. */
export function ErrorWords({
  error,
  isWhole = false,
}: {
  readonly error: LastErrorView | null;
  /** Shows a long message without being asked. */
  readonly isWhole?: boolean;
}): ReactNode {
  if (error === null) return <span className="quiet">–</span>;
  return (
    <div className="job-error">
      <span className="job-kind">
        {error.kind}
        {error.code !== null && ` (${error.code})`}
      </span>{' '}
      <span className="quiet">
        {error.attempt > 0 && `attempt ${error.attempt}, `}
        <Ago at={error.at} />
      </span>
      {isWhole ? (
        <pre className="code" tabIndex={0}>
          {error.message}
        </pre>
      ) : (
        <LongText text={error.message} />
      )}
    </div>
  );
}
