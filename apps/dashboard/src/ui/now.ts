import { useEffect } from 'react';
import { serverNow } from '../api/clock';
import { createStore, useStore } from '../api/store';

const now = createStore(serverNow());
let watchers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, in ms since 1970, again every half second: one clock for all that counts up or down. */
export function useNow(): number {
  useEffect(() => {
    watchers += 1;
    timer ??= setInterval(() => now.set(serverNow()), 500);
    return () => {
      watchers -= 1;
      if (watchers > 0) return;
      clearInterval(timer);
      timer = undefined;
    };
  }, []);
  return useStore(now);
}
