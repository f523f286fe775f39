import { setTimeout as delay } from 'node:timers/promises';
import { commandLineOf, parentOf } from '#shared/runtime/embedded/process-identity';

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
      firstAt = performance.now();
      onEnd(reason);
    } else if (performance.now() - firstAt > SAME_WISH_MS) {
      onEndAtOnce();
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => wish(signal));
  if (process.env.npm_lifecycle_event !== undefined) void watchNpm(() => wish('npm is gone'));
}

/** npm may have put a shell between itself and this process, which outlives it. */
async function watchNpm(onGone: () => void): Promise<void> {
  const parent = process.ppid;
  const isShell = /^(\S*\/)?\w*sh -c /.test((await commandLineOf(parent)) ?? '');
  const npm = isShell ? await parentOf(parent) : undefined;
  const isThere = async (): Promise<boolean> =>
    process.ppid === parent && (npm === undefined || (await parentOf(parent)) === npm);
  while (await isThere()) await delay(PARENT_POLL_MS, undefined, { ref: false });
  onGone();
}
