import { useEffect, useRef, useState } from 'react';
import { createStore, useStore } from '../api/store';

/** A row as it is drawn. */
export interface StillRow<T> {
  readonly value: T;
  /** It is in the list no more, and is shown only because the pointer is on the list. */
  readonly isGone: boolean;
}

/**
 * What is shown of a list while its rows must keep their places: those that are shown stay, with what is newest of
 * them; new ones come only behind them.
 * @param held the rows as they were when the pointer came
 */
export function stillRows<T>(held: readonly T[], latest: readonly T[], idOf: (row: T) => string): StillRow<T>[] {
  const newest = new Map(latest.map((row) => [idOf(row), row]));
  const heldIds = new Set(held.map(idOf));
  const lastKnown = latest.findLastIndex((row) => heldIds.has(idOf(row)));
  const behind = lastKnown < 0 ? [] : latest.slice(lastKnown + 1);
  return [
    ...held.map((row) => {
      const now = newest.get(idOf(row));
      return now === undefined ? { value: row, isGone: true } : { value: now, isGone: false };
    }),
    ...behind.map((value) => ({ value, isGone: false })),
  ];
}

/** Whether the pointer is on a live list. One list that shrinks moves those below it: all of a screen keep still then. */
const isPointedAt = createStore(false);

/**
 * Keeps the rows of a live list in their places while the pointer is on it or on another such list.
 * @returns the rows to draw, and what the element around them has to listen to
 */
export function useStill<T>(latest: readonly T[], idOf: (row: T) => string) {
  const isHeld = useStore(isPointedAt);
  const [held, setHeld] = useState<readonly T[] | null>(null);
  const isOnThis = useRef(false);
  if (isHeld !== (held !== null)) setHeld(isHeld ? latest : null);
  const point = (isOn: boolean): void => {
    isOnThis.current = isOn;
    isPointedAt.set(isOn);
  };
  useEffect(
    () => () => {
      // A list that is taken away does not hear that the pointer leaves it.
      if (isOnThis.current) isPointedAt.set(false);
    },
    [],
  );
  return {
    rows: held === null ? latest.map((value) => ({ value, isGone: false })) : stillRows(held, latest, idOf),
    hold: { onPointerEnter: () => point(true), onPointerLeave: () => point(false) },
  };
}
