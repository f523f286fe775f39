import type { Guard } from '#shared/runtime/failpoints';
import { type Random, randomOf } from '../support/random';
import { TestStack, type TestStackOptions } from '../support/stack';
import { EffectsServer } from './effects';
import { FaultStage } from './fault-stage';
import { SHORT_TIMES } from './oracle';
import { pipelinesWith } from './pipelines';

/** How much of a fault, and by which chance. */
export interface FaultRun {
  /** 1: the short form, part of `npm test`. Jobs and faults grow with it. */
  readonly size: number;
  readonly random: Random;
}

/** A row of the table of faults (docs/faults.md): how it is provoked, what must hold afterwards, what holds it. */
export interface Scenario<Findings> {
  readonly row: number;
  readonly title: string;
  readonly stack: (run: FaultRun) => TestStackOptions | Promise<TestStackOptions>;
  /** After the stack is gone: gives back what `stack` took. */
  readonly cleanUp?: () => Promise<void>;
  /** Brings the fault about and waits until all has ended or nothing moves. @throws when the fault did not fire */
  readonly provoke: (stage: FaultStage, run: FaultRun) => Promise<Findings>;
  /** The exact outcome, by jest's expectations. */
  readonly check: (findings: Findings, run: FaultRun) => void;
  /** Without these guards `check` fails, in the way that `red` says. */
  readonly controls: readonly Control<Findings>[];
  readonly limitMs?: number;
}

export interface Control<Findings> {
  readonly guards: readonly [Guard, ...Guard[]];
  readonly outcome: string;
  readonly red: (findings: Findings) => void;
}

/** The fault can not be brought about on this machine. */
export class NotRunHere extends Error {
  override readonly name = 'NotRunHere';
}

const LIMIT_MS = 120_000;
const START_LIMIT_MS = 180_000;

/** A stack that several rows have in common, and what its steps call. */
export type SharedStack = () => { readonly stack: TestStack; readonly effects: EffectsServer };

/** Has the rows that follow share the stack that this one asks for. */
export function sharedStack(
  scenario: Pick<Scenario<unknown>, 'stack' | 'cleanUp'>,
  run: FaultRun = SHORT,
): SharedStack {
  let stack: TestStack | undefined;
  let effects: EffectsServer | undefined;
  beforeAll(async () => {
    const { env, ...options } = await scenario.stack(run);
    effects = await EffectsServer.start();
    stack = await TestStack.start({
      services: ['gateway', 'scheduler'],
      pipelines: pipelinesWith(effects.url),
      ...options,
      env: { ...SHORT_TIMES, ...FaultStage.ENVIRONMENT, ...env },
    });
  }, START_LIMIT_MS);
  afterAll(async () => {
    await stack?.stop();
    await effects?.stop();
    await scenario.cleanUp?.();
  }, START_LIMIT_MS);
  return () => {
    if (!stack || !effects) throw new Error('the stack did not start');
    return { stack, effects };
  };
}

const SHORT: FaultRun = { size: 1, random: randomOf(1) };

export interface RowOptions {
  readonly size?: number;
  readonly seed?: number;
  /** Default: a stack of its own. */
  readonly stack?: SharedStack;
  /** Guards whose absence another row shows: their controls are left out here. */
  readonly shownElsewhere?: readonly Guard[];
}

/** Tests of a row: the fault, then each guard taken away. */
export function describeRow<Findings>(
  scenario: Scenario<Findings>,
  { size = 1, seed = 1, stack, shownElsewhere = [] }: RowOptions = {},
): void {
  const limitMs = (scenario.limitMs ?? LIMIT_MS) * size;
  describe(`row ${scenario.row}: ${scenario.title}`, () => {
    const run: FaultRun = { size, random: randomOf(seed) };
    const ownStack = stack ?? sharedStack(scenario, run);

    const stageWithout = async (guards: readonly Guard[]): Promise<FaultStage> => {
      const { stack: ready, effects } = ownStack();
      const stage = new FaultStage(ready, effects, guards);
      await stage.prepare();
      return stage;
    };

    it(
      'ends as promised',
      async () => {
        scenario.check(await scenario.provoke(await stageWithout([]), run), run);
      },
      limitMs,
    );

    for (const { guards, outcome, red } of scenario.controls) {
      if (guards.some((guard) => shownElsewhere.includes(guard))) continue;
      it(
        `goes wrong without ${guards.join(' and ')}: ${outcome}`,
        async () => {
          const short = { ...run, size: 1 };
          const stage = await stageWithout(guards);
          const findings = await scenario.provoke(stage, short);
          stage.requireFired(guards);
          expect(() => scenario.check(findings, short)).toThrow();
          red(findings);
        },
        LIMIT_MS,
      );
    }
  });
}
