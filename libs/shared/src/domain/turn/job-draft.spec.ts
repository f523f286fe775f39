import { isoOf, newRow } from '#shared/domain/turn/job-draft';
import { draftOf, type DraftSettings, NOW, set, stateOf } from '../../../../../test/support/drafts';

describe('JobDraft', () => {
  it('moves the job as the table says, and not at all when it forbids it', () => {
    const draft = draftOf({ job: { status: 'completed' } });
    const before = stateOf(draft);
    expect(draft.move('cancel')).toBe(false);
    expect(stateOf(draft)).toEqual(before);
    expect(draft.move('rerun')).toBe(true);
    expect([draft.job.status, draft.changed]).toEqual(['pending', true]);
  });

  it('refuses a move of a step that the table forbids, by name, and changes nothing', () => {
    const draft = draftOf({ rows: [{ idx: 0, status: 'completed' }] });
    const before = stateOf(draft);
    expect(() => draft.moveStep(0, 'claim')).toThrow(`job ${draft.job.id} step 0: completed forbids claim`);
    expect(() => draft.moveStep(1, 'hand_back')).toThrow('step 1: none forbids hand_back');
    expect(stateOf(draft)).toEqual(before);
  });

  it('makes the row of a step that begins', () => {
    const draft = draftOf();
    expect(draft.moveStep(1, 'claim')).toEqual({ ...newRow(1), status: 'running' });
    expect([...draft.changedRows]).toEqual([1]);
  });

  it('opens steps now; opening none is no change', () => {
    const draft = draftOf({ job: { open: 0n } });
    draft.openSteps(0n);
    expect(draft.changed).toBe(false);
    draft.openSteps(set(1, 2));
    expect([draft.job.open, draft.opened, draft.job.dispatchedAt, draft.changed]).toEqual([
      set(1, 2),
      set(1, 2),
      NOW,
      true,
    ]);
  });

  it('tells the rows of open steps, those without one left out', () => {
    const draft = draftOf({ job: { open: set(0, 1) }, rows: [{ idx: 1 }, { idx: 2 }] });
    expect(draft.openRows().map((row) => row.idx)).toEqual([1]);
    expect([draft.isOpen(0), draft.isOpen(2)]).toEqual([true, false]);
  });

  it('knows no step outside its pipeline', () => {
    expect(draftOf().step(2).name).toBe('c');
    expect(() => draftOf().step(3)).toThrow('pipeline tried has no step 3');
  });
});

describe('JobDraft.updateStatus', () => {
  const after = (settings: DraftSettings): [string, number | null] => {
    const draft = draftOf(settings);
    draft.updateStatus();
    return [draft.job.status, draft.job.completedAt];
  };

  it.each(['pending', 'running'] as const)('of a job that is %s', (status) => {
    expect(after({ job: { status, open: 0n, done: set(0, 1, 2) } })).toEqual(['completed', NOW]);
    expect(after({ job: { status, open: 0n, done: set(0), dead: set(1, 2) } })).toEqual(['failed', NOW]);
    expect(after({ job: { status, open: set(1), done: set(0) } })).toEqual(['running', null]);
    expect(after({ job: { status, open: set(0), dead: set(1) } })).toEqual(['running', null]);
  });

  it('of one that is being cancelled: completed when all is done, else left as it is', () => {
    expect(after({ job: { status: 'cancelling', open: 0n, done: set(0, 1, 2) } })).toEqual(['completed', NOW]);
    expect(after({ job: { status: 'cancelling', open: 0n, done: set(0), dead: set(1, 2) } })).toEqual([
      'cancelling',
      null,
    ]);
    expect(after({ job: { status: 'cancelling', open: 0n, done: set(0) } })).toEqual(['cancelling', null]);
  });
});

describe('isoOf', () => {
  it('has milliseconds, cut off and not rounded', () => {
    expect(isoOf(NOW)).toBe('2026-01-02T03:04:05.000Z');
    expect(isoOf(NOW + 1_999)).toBe('2026-01-02T03:04:05.001Z');
  });
});
