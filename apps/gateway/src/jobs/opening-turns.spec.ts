import { workMessage } from '#shared/contracts/work-message';
import type { NewJob } from '#shared/domain/new-job';
import { type PipelineDefinition, pipelineGraph, type StepDefinition } from '#shared/domain/pipeline';
import { openingTurns } from './opening-turns';

function step(name: string, needs: string[], more: Partial<StepDefinition> = {}): StepDefinition {
  return {
    ...{ name, needs, uses: 'noop', queue: 'default', max_retries: 3, timeout_ms: null, concurrency: null },
    back_off: { strategy: 'fixed', initial_ms: 1_000, factor: 2, max_ms: 300_000, jitter: 0 },
    ...{ resources: {}, isolation: 'inline', options: {} },
    ...more,
  };
}

function turnsOf(steps: StepDefinition[], more: Partial<NewJob> = {}): ReturnType<typeof openingTurns> {
  const definition: PipelineDefinition = { name: 'p', description: '', source: 'optional', steps };
  const graph = pipelineGraph(steps);
  const job: NewJob = {
    ...{ id: '01930000-0000-7000-8000-000000000000', pipeline: 'p', pipelineHash: 'h', priority: 'high' },
    ...{ allSteps: graph.all, roots: graph.roots, source: '/s', sourceType: 'local_path', branch: null, commit: null },
    ...{ input: { n: 1 }, options: { a: { x: 1 } }, tags: [], description: null, etaSeconds: null, countdown: null },
    ...{ idempotencyKey: null, requestHash: null, dependsOn: [], onDependencyFailure: 'fail', scheduleId: null },
    ...more,
  };
  return openingTurns(job, { hash: 'h', definition, graph }, 1_800_000_000_000_123, 0);
}

describe('the opening turns of a job', () => {
  it('are one for each step that needs no other, in its queue', () => {
    const turns = turnsOf([step('a', []), step('b', ['a']), step('c', [], { queue: 'heavy' }), step('d', ['b', 'c'])]);
    expect(turns.map(({ queue, priority, message }) => [queue, priority, message.head])).toEqual([
      ['default', 'high', 0],
      ['heavy', 'high', 2],
    ]);
  });

  it('carry what the first attempt needs, the exact time of the opening among it', () => {
    const [turn] = turnsOf([step('a', [])]);
    expect(workMessage.parse(turn?.message)).toEqual({
      ...{ job_id: '01930000-0000-7000-8000-000000000000', run: 1, head: 0, at: 1_800_000_000_000_123, read: false },
      pipeline_hash: 'h',
      data: {
        ...{ source: '/s', source_type: 'local_path', branch: null, commit: null },
        ...{ input: { n: 1 }, options: { a: { x: 1 } }, outputs: {} },
      },
    });
  });

  it.each<[string, Partial<StepDefinition>]>([
    ['concurrency', { concurrency: 1 }],
    ['tokens', { resources: { llm: 1 } }],
  ])('of a step with a limit on %s have to be claimed, and carry nothing', (_, limit) => {
    const [turn] = turnsOf([step('a', [], limit)]);
    expect(turn?.message).toMatchObject({ read: true });
    expect(turn?.message.data).toBeUndefined();
  });
});
