import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { createStore, useStore } from '../api/store';

interface Note {
  readonly id: number;
  readonly text: string;
  readonly isError: boolean;
}

const SHOWN_MS = 6_000;
const notes = createStore<readonly Note[]>([]);
let noteCount = 0;

/** Says in a corner what was done, or why it was not. */
export function say(text: string, isError = false): void {
  noteCount += 1;
  const note = { id: noteCount, text, isError };
  notes.set([...notes.get().slice(-3), note]);
  setTimeout(() => notes.set(notes.get().filter(({ id }) => id !== note.id)), isError ? 2 * SHOWN_MS : SHOWN_MS);
}

export function Notes(): ReactNode {
  return (
    <div className="notes" role="status" aria-live="polite">
      {useStore(notes).map(({ id, text, isError }) => (
        <p key={id} className={isError ? 'note note-error' : 'note'}>
          {isError ? '✕ ' : ''}
          {text}
        </p>
      ))}
    </div>
  );
}

interface ActionProps {
  readonly label: string;
  /** What is done. A rejection is told in a corner. */
  readonly onDo: () => Promise<unknown>;
  /** Told when it is done. */
  readonly done?: string;
  /** Asked once before, for what cannot be undone. */
  readonly question?: string;
  readonly disabled?: boolean;
  /** Why it is disabled, or what it does. */
  readonly hint?: string;
  readonly kind?: 'plain' | 'main' | 'danger';
}

/** A button that does something to a job, a schedule or a dead letter. */
export function Action({ label, onDo, done, question, disabled, hint, kind = 'plain' }: ActionProps): ReactNode {
  const [isBusy, setBusy] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const isRunning = useRef(false);
  const run = async (): Promise<void> => {
    // What is drawn is known a moment later: two clicks may come before.
    if (isRunning.current) return;
    isRunning.current = true;
    setAsking(false);
    setBusy(true);
    try {
      await onDo();
      if (done !== undefined) say(done);
    } catch (error) {
      say(`${label}: ${(error as Error).message}`, true);
    } finally {
      isRunning.current = false;
      setBusy(false);
    }
  };
  return (
    <>
      <button
        type="button"
        className={kind}
        disabled={disabled === true || isBusy}
        title={hint}
        onClick={() => (question === undefined ? void run() : setAsking(true))}
      >
        {isBusy ? `${label}…` : label}
      </button>
      {isAsking && question !== undefined && (
        <Dialog title={label} onClose={() => setAsking(false)}>
          <p>{question}</p>
          <div className="buttons">
            <button type="button" className={kind === 'danger' ? 'danger' : 'main'} onClick={() => void run()}>
              {label}
            </button>
            <button type="button" onClick={() => setAsking(false)}>
              Leave it
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** A window over the page; Escape closes it. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}): ReactNode {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const { current } = dialog;
    if (current && !current.open) current.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={heading} onClose={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
    </dialog>
  );
}

/** Copies a text; where the browser does not let it, shows the text to be copied by hand. */
export function Copy({ label, text }: { readonly label: string; readonly text: string }): ReactNode {
  const [isShown, setShown] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied.');
    } catch {
      setShown(true);
    }
  };
  return (
    <>
      <button type="button" title={text} onClick={() => void copy()}>
        {label}
      </button>
      {isShown && (
        <Dialog title={label} onClose={() => setShown(false)}>
          <pre className="code">{text}</pre>
        </Dialog>
      )}
    </>
  );
}
