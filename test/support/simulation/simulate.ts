import { takeGuardsOfParts } from './guarded-parts';
import { setRunningWorld } from './running-world';
import type { Scenario } from './scenario';
import { followTurns } from './sim-handlers';
import { SimWorld } from './sim-world';

/** How a simulation went. */
export interface Outcome {
  /** The first thing that must not be; null: there was none. */
  readonly violation: string | null;
  /** What was done of the plan, to whom and when. */
  readonly story: readonly string[];
  /** How often it came to what: what was done of the plan, how attempts and jobs ended. */
  readonly seen: readonly string[];
}

/** Lets a scenario happen to its end. */
export async function simulate(scenario: Scenario): Promise<Outcome> {
  const world = new SimWorld(scenario);
  setRunningWorld(world);
  const undo = [world.time.install(), takeGuardsOfParts(), followTurns(), letProcessesExit(world)];
  try {
    await world.run();
  } finally {
    for (const each of undo.reverse()) each();
    setRunningWorld(undefined);
  }
  return { violation: world.oracle.violation, story: world.story, seen: [...world.performed, ...endsIn(world)] };
}

const endsIn = ({ postgres }: SimWorld): string[] =>
  [...postgres.jobs.values()].flatMap(({ stored: { fields, rows, attempts }, dependencies }) => [
    `job ${fields.status}${fields.run > 1 ? ' in a later run' : ''}`,
    ...(fields.status === 'failed' && rows.length === 0 ? ['job failed for another'] : []),
    ...(fields.run > 1 && dependencies.length > 0 ? ['job held again'] : []),
    ...attempts.map(({ outcome }) => `attempt ${outcome}`),
  ]);

/** A worker may end itself: that is the end of its process alone. */
function letProcessesExit(world: SimWorld): () => void {
  const { exit } = process;
  process.exit = ((): void => {
    const { current, nowMs } = world.time;
    if (!current) return;
    world.story.push(`${Math.round(nowMs)} ms: ${current.name} ends itself`);
    world.crash(current, 1_000);
  }) as typeof process.exit;
  return () => (process.exit = exit);
}
