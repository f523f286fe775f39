import type { DeadLetterGroup } from '#shared/contracts/dead-letter';
import type { PipelineView } from '#shared/contracts/fleet';
import { choices, filterBody, filterOf, isFiltered } from './letter-filter';

const pipeline = (name: string, ...steps: string[]): PipelineView =>
  ({ name, steps: steps.map((step) => ({ name: step })) }) as PipelineView;
const group = (name: string, step: string): DeadLetterGroup => ({ pipeline: name, step }) as DeadLetterGroup;

describe('the filter in the address', () => {
  it('is read, and a kind that is none counts as any', () => {
    const filter = filterOf(new URLSearchParams('pipeline=p&kind=odd'));
    expect(filter).toEqual({ pipeline: 'p', step: '', kind: '' });
    expect(filterBody(filter)).toEqual({ pipeline: 'p' });
    expect([isFiltered(filter), isFiltered(filterOf(new URLSearchParams()))]).toEqual([true, false]);
    expect(filterOf(new URLSearchParams('kind=timeout')).kind).toBe('timeout');
  });
});

describe('what there is to choose from', () => {
  const configured = [pipeline('p', 'a', 'b'), pipeline('q', 'c')];
  it('is what is configured, what has failed and what is chosen', () => {
    expect(choices(configured, [group('old', 'z')], { pipeline: '', step: 'gone', kind: '' })).toEqual({
      pipelines: ['old', 'p', 'q'],
      steps: ['a', 'b', 'c', 'gone', 'z'],
    });
  });

  it('are the steps of the pipeline that is chosen', () => {
    const { steps } = choices(configured, [group('p', 'x'), group('q', 'y')], { pipeline: 'p', step: '', kind: '' });
    expect(steps).toEqual(['a', 'b', 'x']);
  });
});
