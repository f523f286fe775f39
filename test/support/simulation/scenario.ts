import fc from 'fast-check';
import { type BackOff, type PipelineDefinition, type PipelineGraph, pipelineGraph } from '#shared/domain/pipeline';
import type { DependencyFailure } from '#shared/domain/turn/job-hold';
import type { Priority } from '#shared/domain/status';
import { pipelineOf } from '../drafts';
import { randomPipeline } from '../random-pipelines';
import { type Action, FAULTS, type PlanEntry, type Point, REQUESTS, TURNS_OF_EVENTS } from './plan';

/** Everything that a simulation follows from. */
export interface Scenario {
  /** Of all that is left to chance: how long things take, who gets which message. */
  readonly seed: number;
  readonly workers: number;
  readonly schedulers: number;
  readonly pipelines: readonly { readonly definition: PipelineDefinition; readonly graph: PipelineGraph }[];
  readonly jobs: readonly JobPlan[];
  readonly plan: readonly PlanEntry[];
  /** When things cease to go wrong at the latest, and how long it may then take until all has ended. */
  readonly trouble: { readonly endMs: number; readonly healMs: number };
}

interface JobPlan {
  readonly atMs: number;
  readonly heldMs: number | null;
  readonly priority: Priority;
  readonly pipeline: number;
  /** Which of the jobs before it, as many as there are. */
  readonly needs: readonly number[];
  readonly onDependencyFailure: DependencyFailure;
}

export interface ScenarioSettings {
  readonly actions?: readonly Action[];
  readonly points?: readonly Point[];
  readonly maxEntries?: number;
  readonly minEntries?: number;
  readonly limited?: boolean;
  readonly maxSteps?: number;
  readonly minSteps?: number;
  readonly durationsMs?: readonly number[];
  readonly maxNth?: number;
  readonly jobs?: number;
  readonly workers?: number;
  /** Jobs wait for others, and are given other times. */
  readonly held?: boolean;
  /** This and nothing else. */
  readonly plan?: readonly PlanEntry[];
}

const POINTS: readonly Point[] = [
  ...(['delivered', 'delivered', 'begun', 'begun', 'ended', 'committed', 'committed', 'committed'] as const),
  ...(['publish', 'publish', 'stored', 'ending', 'ending', 'registered', 'renewed', 'left', 'looked'] as const),
  ...(['acknowledged', 'marked', 'second', 'second'] as const),
];
const ACTIONS: readonly Action[] = [...FAULTS, ...REQUESTS, ...REQUESTS, ...TURNS_OF_EVENTS, 'fail'];
/** Within a lease; longer than that; longer than `ack_wait`. */
const DURATIONS_MS = [20, 2_000, 9_000, 12_000, 25_000, 45_000];
const BACK_OFF: BackOff = { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 600_000, jitter: 0 };

export function scenarios(settings: ScenarioSettings = {}): fc.Arbitrary<Scenario> {
  const { held = false } = settings;
  const {
    actions = held ? [...ACTIONS, 'reschedule', 'reschedule', 'cancel', 'retry', 'retry'] : ACTIONS,
    points = POINTS,
    durationsMs = DURATIONS_MS,
    maxNth = 24,
  } = settings;
  const { minEntries = 0, maxEntries = Math.max(minEntries, 8), limited = true, minSteps = 1, maxSteps = 5 } = settings;
  const entry = fc.record({
    on: fc.constantFrom(...points),
    nth: fc.oneof(fc.nat(2), fc.nat(maxNth)),
    action: fc.constantFrom(...actions),
    ms: fc.constantFrom(...durationsMs),
    which: fc.nat(5),
  });
  const job = fc.record({
    atMs: fc.constantFrom(0, 0, 0, 5, 400, 5_000),
    heldMs: settings.held ? fc.constantFrom(null, 700, 3_000, 20_000) : fc.constantFrom(null, null, null, 700),
    priority: fc.constantFrom('default', 'default', 'high' as const),
    pipeline: fc.nat(1),
    needs: settings.held ? fc.uniqueArray(fc.nat(3), { maxLength: 2 }) : fc.constant([]),
    onDependencyFailure: settings.held ? fc.constantFrom('fail', 'fail', 'run' as const) : fc.constant('fail' as const),
  });
  return fc.record({
    seed: fc.noBias(fc.nat()),
    workers: settings.workers === undefined ? fc.integer({ min: 1, max: 3 }) : fc.constant(settings.workers),
    schedulers: fc.constantFrom(1, 1, 1, 2),
    pipelines: fc.array(pipelines({ limited, minSteps, maxSteps }), { minLength: 1, maxLength: 2 }),
    jobs: fc.array(job, { minLength: settings.jobs ?? 1, maxLength: settings.jobs ?? 4 }),
    plan: settings.plan
      ? fc.constant(settings.plan)
      : fc.array(entry, { minLength: minEntries, maxLength: maxEntries }),
    trouble: fc.constant({ endMs: 120_000, healMs: 600_000 }),
  });
}

/** Steps of both kinds of handlers, with retries by nak and by the scheduler. */
function pipelines(settings: {
  limited: boolean;
  minSteps: number;
  maxSteps: number;
}): fc.Arbitrary<Scenario['pipelines'][number]> {
  const kinds = fc.array(
    fc.record({ uses: fc.constantFrom('once', 'again', 'again'), isLong: fc.constantFrom(false, false, true) }),
    { minLength: settings.maxSteps, maxLength: settings.maxSteps },
  );
  return fc.tuple(randomPipeline(settings), kinds).map(([{ steps, name }, kindOf]) => {
    const all = steps.map((step, index) => {
      const { uses = 'once', isLong = false } = kindOf[index] ?? {};
      return { ...step, uses, back_off: { ...BACK_OFF, initial_ms: isLong ? 31_000 : 1_000 } };
    });
    return { definition: pipelineOf(all, name), graph: pipelineGraph(all) };
  });
}
