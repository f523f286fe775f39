import { useEffect, useRef } from 'react';

/** What each key does, by its `KeyboardEvent.key`. */
export type Keys = Readonly<Record<string, () => void>>;

const TAKES_TEXT = 'input, textarea, select, [contenteditable], dialog';

/** Listens to keys while the component is shown; not while text is typed or a dialog is open, nor with Ctrl, Alt or Meta. */
export function useKeys(keys: Keys): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const target = event.target instanceof Element ? event.target : null;
      if (event.ctrlKey || event.altKey || event.metaKey || target?.closest(TAKES_TEXT)) return;
      const act = latest.current[event.key];
      // A link or button that has the focus takes Enter itself.
      if (!act || (event.key === 'Enter' && target?.closest('a, button, summary'))) return;
      event.preventDefault();
      act();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

/** Moves the focus among the elements that match: `j` down, `k` up; `Enter` opens what has it, as links do. */
export function useRowKeys(selector: string): void {
  const move = (by: number): void => {
    const rows = [...document.querySelectorAll<HTMLElement>(selector)];
    const at = rows.findIndex((row) => row === document.activeElement);
    const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + by))];
    next?.focus();
    next?.scrollIntoView({ block: 'nearest' });
  };
  useKeys({ j: () => move(1), k: () => move(-1) });
}
