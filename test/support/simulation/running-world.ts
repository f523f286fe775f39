import type { Surroundings } from './surroundings';

let running: Surroundings | undefined;

/** The world that is simulated just now, for what has no other way to it. One at a time. */
export function runningWorld(): Surroundings {
  if (!running) throw new Error('nothing is simulated');
  return running;
}

export function setRunningWorld(world: Surroundings | undefined): void {
  running = world;
}
