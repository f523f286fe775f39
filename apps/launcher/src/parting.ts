/** npm passes a Ctrl-C on to a child that has already had it from the terminal: that one is no second Ctrl-C. */
const SAME_WISH_MS = 1_000;
const PARENT_POLL_MS = 1_000;

export interface Parting {
  /** The first wish to end. */
  readonly onEnd: (reason: string) => void;
  /** The second one, by somebody who does not want to wait. */
  readonly onEndAtOnce: () => void;
}

/**
 * Listens for the wish to end: SIGINT, SIGTERM, SIGHUP, or, when npm started this process, npm's own death, of which
 * nobody else would tell.
 */
export function listenForParting({ onEnd, onEndAtOnce }: Parting): void {
  let firstAt: number | undefined;
  const wish = (reason: string): void => {
    if (firstAt === undefined) {
      firstAt = Date.now();
      onEnd(reason);
    } else if (Date.now() - firstAt > SAME_WISH_MS) {
      onEndAtOnce();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => wish(signal));
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    wish('npm is gone');
  }, PARENT_POLL_MS);
  timer.unref();
}
