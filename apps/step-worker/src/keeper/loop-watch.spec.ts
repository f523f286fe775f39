import { LoopWatch } from './loop-watch';

const BEAT_MS = 250;

/** Looks every beat; `beats` are what the loop had counted by then. */
function looks(beats: readonly number[], gapsMs: readonly number[] = []): number[] {
  const watch = new LoopWatch(BEAT_MS, 0, 0);
  let nowMs = 0;
  return beats.map((count, i) => watch.look(count, (nowMs += gapsMs[i] ?? BEAT_MS)));
}

describe('LoopWatch', () => {
  it('says nothing of a loop that turns, if slowly', () => {
    expect(looks([1, 2, 3, 3, 4, 4, 4, 5])).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('tells for how long it has stood still, once some beats were missed', () => {
    expect(looks([1, 1, 1, 1, 1, 1])).toEqual([0, 0, 0, 0, 1_000, 1_250]);
  });

  it('begins anew when it has turned', () => {
    expect(looks([1, 1, 1, 1, 1, 2, 2, 2, 2, 2])).toEqual([0, 0, 0, 0, 1_000, 0, 0, 0, 0, 1_000]);
  });

  it('does not count time in which its own thread stood still too', () => {
    expect(looks([1, 1, 1, 1, 1, 1, 1], [BEAT_MS, BEAT_MS, 60_000])).toEqual([0, 0, 0, 0, 0, 0, 1_000]);
  });
});
