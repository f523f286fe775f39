import type { StepHandler } from '#shared/contracts/handler';
import type { ServiceContext } from '#shared/runtime/service';
import type { Choices } from './choices';
import type { Execution, Oracle } from './oracle';
import type { Action, Behaviour, Point } from './plan';
import type { Scenario } from './scenario';
import type { Puller, SimJetStream, SimMessage } from './sim-jetstream';
import type { SimPostgres } from './sim-postgres';
import type { SimProcess, VirtualTime } from './virtual-time';

/** Whom something happens to. */
export interface Circumstance {
  readonly process?: SimProcess;
  readonly message?: SimMessage;
  readonly seq?: number;
  readonly jobId?: string | null;
}

/** What the parts of a simulated world have around them. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly choices: Choices;
  readonly time: VirtualTime;
  readonly oracle: Oracle;
  readonly postgres: SimPostgres;
  readonly jetStream: SimJetStream;
  readonly handlers: ReadonlyMap<string, StepHandler<unknown>>;
  /** The slots of each worker. */
  readonly slots: Map<SimProcess, Puller & { readonly busy: number }>;
  /** Who listens to what is only said, by subject. */
  readonly listeners: Map<string, Set<{ readonly listener: SimProcess; readonly handler: (payload: string) => void }>>;
  /** Tells that something has come to a point: the plan may have something for it. */
  point(on: Point, circumstance: Circumstance): void;
  /** Whether the plan has this for the process; once. */
  takeFlag(process: SimProcess, flag: Action): boolean;
  losesWord(): boolean;
  isDeafTo(process: SimProcess): boolean;
  isCut(process: SimProcess): boolean;
  databaseLatencyMs(process: SimProcess): number;
  busLatencyMs(): number;
  behaviourOf(execution: Execution): Behaviour;
  workMs(behaviour: Behaviour): number;
  crash(process: SimProcess, downMs: number): void;
  contextOf(process: SimProcess, drain: { readonly draining: boolean }): ServiceContext;
}
