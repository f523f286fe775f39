import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_STATUSES, type JobStatus, STEP_ROW_STATUSES, type StepRowStatus } from '#shared/domain/status';
import {
  type JobEvent,
  jobStatesAllowing,
  jobTransition,
  type StepEvent,
  stepTransition,
} from '#shared/domain/transitions';

/* Drawn here once more, by hand: a slip in the table must not be a slip in its test. `-` is forbidden. */

const JOB_TABLE = `
             release   wait      hold        begin     complete    fail      cancel       finish_cancel  retry     rerun
scheduled    pending   waiting   -           -         -           failed    cancelled    -              -         -
waiting      pending   -         -           -         -           failed    cancelled    -              -         -
pending      -         -         -           running   completed   failed    cancelling   -              -         -
running      -         -         -           running   completed   failed    cancelling   -              -         -
cancelling   -         -         -           -         completed   -         -            cancelled      -         -
completed    -         -         -           -         -           -         -            -              -         pending
failed       -         waiting   scheduled   -         -           -         -            -              pending   pending
cancelled    -         waiting   scheduled   -         -           -         -            -              pending   pending
`;

const STEP_TABLE = `
            claim     park     complete    fail     back_off   release   hand_back   cancel      reset
none        running   parked   completed   failed   retrying   -         -           cancelled   -
queued      running   parked   -           -        -          -         -           cancelled   queued
parked      running   parked   -           -        -          -         -           cancelled   queued
running     running   parked   completed   failed   retrying   -         queued      cancelled   queued
retrying    running   parked   -           -        -          queued    -           cancelled   queued
completed   -         -        -           -        -          -         -           -           queued
failed      -         -        -           -        -          -         -           -           queued
cancelled   -         -        -           -        -          -         -           -           queued
`;

interface Drawn {
  readonly states: readonly string[];
  readonly events: readonly string[];
  readonly pairs: readonly (readonly [state: string, event: string, next: string | null])[];
}

function drawn(table: string): Drawn {
  const [head = '', ...lines] = table.trim().split('\n');
  const events = head.trim().split(/\s+/);
  const cells = lines.map((line) => line.trim().split(/\s+/));
  return {
    states: cells.map(([state = '']) => state),
    events,
    pairs: cells.flatMap(([state = '', ...next]) =>
      events.map((event, index) => [state, event, next[index] === '-' ? null : (next[index] ?? '')] as const),
    ),
  };
}

const JOB = drawn(JOB_TABLE);
const STEP = drawn(STEP_TABLE);

/** `from --event--> to` of every arrow in the drawings of the document. */
function arrowsInTheDocument(): { job: Set<string>; step: Set<string> } {
  const text = readFileSync(join(__dirname, '../../../../docs/state-machine.md'), 'utf8');
  const blocks = [...text.matchAll(/```mermaid\n([^]*?)```/g)].map(([, block = '']) => {
    const arrows = [...block.matchAll(/^\s*(\w+) --> (\w+) : (\w+)$/gm)];
    const lines = block.split('\n').filter((line) => line.includes('-->') && !line.includes('[*]'));
    expect(arrows).toHaveLength(lines.length);
    expect(new Set(lines.map((line) => line.trim())).size).toBe(lines.length);
    return new Set(arrows.map(([, from, to, event]) => `${from} --${event}--> ${to}`));
  });
  const [job, step, ...more] = blocks;
  if (!job || !step || more.length > 0) throw new Error(`expected two drawings, found ${blocks.length}`);
  return { job, step };
}

const arrowsOf = (table: Drawn): Set<string> =>
  new Set(table.pairs.flatMap(([from, event, to]) => (to === null ? [] : [`${from} --${event}--> ${to}`])));

describe('jobTransition', () => {
  it('is tried for every state and event', () => {
    expect(JOB.states).toEqual([...JOB_STATUSES]);
    expect(JOB.pairs).toHaveLength(8 * 10);
  });

  it.each(JOB.pairs)('%s, %s: %s', (state, event, next) => {
    expect(jobTransition(state as JobStatus, event as JobEvent)).toBe(next);
  });

  it('never leaves an end but to go on', () => {
    for (const end of ['completed', 'failed', 'cancelled'] as const) {
      const events = JOB.events.filter((event) => jobTransition(end, event as JobEvent) !== null);
      expect(events.filter((event) => !['retry', 'rerun', 'hold', 'wait'].includes(event))).toEqual([]);
    }
  });
});

describe('stepTransition', () => {
  it('is tried for every state and event', () => {
    expect([...STEP.states].sort()).toEqual(['none', ...STEP_ROW_STATUSES].sort());
    expect(STEP.pairs).toHaveLength(8 * 9);
  });

  it.each(STEP.pairs)('%s, %s: %s', (state, event, next) => {
    expect(stepTransition(state as StepRowStatus | 'none', event as StepEvent)).toBe(next);
  });
});

describe('jobStatesAllowing', () => {
  it.each(JOB.events)('%s', (event) => {
    const allowed = JOB.pairs.filter(([, of, next]) => of === event && next !== null).map(([state]) => state);
    expect(jobStatesAllowing(event as JobEvent)).toEqual(allowed);
  });
});

describe('docs/state-machine.md', () => {
  it('draws what the table says, of jobs and of steps', () => {
    const { job, step } = arrowsInTheDocument();
    expect(job).toEqual(arrowsOf(JOB));
    expect(step).toEqual(arrowsOf(STEP));
  });
});
