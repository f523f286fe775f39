import { type ReactNode, useState } from 'react';
import type { RedriveResult } from '#shared/contracts/dead-letter';
import { useChange } from '../../api/queries';
import { Dialog, say } from '../../ui/actions';
import { nothingToRedrive, redriveQuestion, redriveWords } from './redrive-words';

const PATH = '/v1/dead_letters/redrive';
/** The gateway gives itself 20 s for many. */
const LIMIT_MS = 40_000;

/**
 * Redrives many dead letters; says before how many, and asks once.
 * @param body which: a fingerprint or a filter
 */
export function RedriveAll({ label, body }: { readonly label: string; readonly body: object }): ReactNode {
  const count = useChange<RedriveResult>();
  const redrive = useChange<RedriveResult>();
  const [question, setQuestion] = useState<string | null>(null);
  const isBusy = count.isPending || redrive.isPending;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      say(`${label}: ${(error as Error).message}`, true);
    }
  };
  const ask = (): Promise<void> =>
    attempt(async () => {
      const found = await count.mutateAsync({ path: PATH, body: { ...body, dry_run: true } });
      const asked = redriveQuestion(found);
      if (asked === null) say(nothingToRedrive(found));
      setQuestion(asked);
    });
  const go = (): Promise<void> =>
    attempt(async () => {
      setQuestion(null);
      say(redriveWords(await redrive.mutateAsync({ path: PATH, body, limitMs: LIMIT_MS })));
    });
  return (
    <>
      <button type="button" disabled={isBusy} onClick={() => void ask()}>
        {isBusy ? `${label}…` : label}
      </button>
      {question !== null && (
        <Dialog title={label} onClose={() => setQuestion(null)}>
          <p>{question}</p>
          <div className="buttons">
            <button type="button" className="main" onClick={() => void go()}>
              Redrive
            </button>
            <button type="button" onClick={() => setQuestion(null)}>
              Leave it
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}
