/**
 * Has this thread believe that it is so much later, or earlier, than its machine says: `Date.now()`, `new Date()` and
 * `Date()` are off. Monotonic clocks and timers are as they were, as in a machine whose wall clock is wrong.
 * @returns what takes it back
 */
export function shiftClock(byMs: number): () => void {
  const RightDate = globalThis.Date;
  const now = (): number => RightDate.now() + byMs;
  globalThis.Date = new Proxy(RightDate, {
    apply: () => new RightDate(now()).toString(),
    construct: (date, values: unknown[], made): object =>
      Reflect.construct(date, values.length === 0 ? [now()] : values, made) as object,
    get: (date, name): unknown => (name === 'now' ? now : Reflect.get(date, name)),
  });
  return () => {
    globalThis.Date = RightDate;
  };
}
