import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { isEnded } from '#shared/domain/status';
import { hasStep, isSubset, NO_STEPS, stepsIn } from '#shared/domain/step-set';
import { tokensOf } from '#shared/domain/turn/tokens';
import { randomPipeline } from '../../../../../test/support/random-pipelines';
import { type Move, type StoredJob, TurnWalk } from '../../../../../test/support/turn-walk';

/** Says what does not hold. (`expect` is too slow for the millions of questions asked here.) */
function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(`does not hold: ${what}`);
}

/** What must be true of a job between any two changes. */
function holdJob({ graph, pipeline }: TurnWalk, { fields, rows, attempts }: StoredJob): void {
  const { status, done, dead, open } = fields;
  hold((open & (done | dead)) === NO_STEPS, 'what is open is neither done nor dead');
  hold((done & dead) === NO_STEPS, 'what is done is not dead');
  hold(
    stepsIn(done | open).every((idx) => isSubset(graph.needs[idx] ?? 0n, done)),
    'needs are done',
  );
  hold(
    stepsIn(dead).every((idx) => isSubset(graph.descendants[idx] ?? 0n, dead)),
    'death goes down',
  );
  hold((fields.completedAt !== null) === isEnded(status), 'completed_at is that of an end');
  if (isEnded(status)) {
    hold(open === NO_STEPS, 'nothing is open in a job that has ended');
    hold((done | dead) === graph.all, 'every step of a job that has ended is over');
    hold((dead === NO_STEPS) === (status === 'completed'), 'completed is when nothing is dead');
  }
  if (status === 'pending' || status === 'running') hold(open !== NO_STEPS, 'a live job has something open');
  if (status === 'scheduled') hold(rows.length === 0, 'nothing of a held job has begun');
  hold(
    stepsIn(done).every((idx) => rows.some((row) => row.idx === idx)),
    'what is done has a row',
  );
  for (const row of rows) {
    hold(row.retryCount <= (pipeline.steps[row.idx]?.max_retries ?? -1), 'retry_count is at most max_retries');
    hold((row.status === 'completed') === hasStep(done, row.idx), 'completed rows are the done steps');
    if (row.status === 'failed' || row.status === 'cancelled') {
      hold(hasStep(dead, row.idx), `${row.status} rows are dead steps`);
    }
    if (['running', 'parked', 'retrying'].includes(row.status)) hold(hasStep(open, row.idx), `${row.status} is open`);
    hold((row.waitsFor !== null) === (row.status === 'parked'), 'what is parked waits for a pool, nothing else does');
    if (row.held) hold(row.status === 'running', 'tokens are held while running');
    if (row.epoch > 1) hold(hasStep(fields.slow, row.idx) || fields.run > 1, 'what was claimed is slow');
    hold((row.nextRetryAt !== null) === (row.status === 'retrying'), 'next_retry_at is that of a back-off');
    const own = attempts.filter((attempt) => attempt.idx === row.idx);
    hold(
      own.every(({ number, epoch }, index) => number === index + 1 && epoch <= row.epoch),
      'attempts are numbered',
    );
    hold(own.length === row.attempts, 'every attempt is recorded');
    hold(new Set(own.map((attempt) => attempt.epoch)).size === own.length, 'one attempt per epoch');
  }
}

/** What must be true of a single change. */
function holdMove({ name, before, after, draft, outcome }: Move): void {
  const same = isDeepStrictEqual(after, before);
  if (!draft.changed && draft.changedRows.size === 0) hold(same, 'what has changed is marked to be written');
  for (const row of after.rows) {
    const old = before.rows.find((other) => other.idx === row.idx);
    if (!draft.changedRows.has(row.idx)) hold(isDeepStrictEqual(row, old), 'a row that has changed is marked');
    hold(row.epoch >= (old?.epoch ?? 1) && row.attempts >= (old?.attempts ?? 0), 'epochs and attempts never fall');
  }
  hold(after.rows.length >= before.rows.length, 'no row is lost');
  const again = name === 'retry' || name === 'rerun';
  if (isEnded(before.fields.status) && !again) hold(same, 'an end changes by a retry only');
  const runs = after.fields.run - before.fields.run;
  hold(runs === 0 || (runs === 1 && again), 'a retry alone begins a run');
  hold(isSubset(draft.opened, after.fields.open), 'what gets a message is open');
  if ((after.fields.open & ~before.fields.open) !== NO_STEPS) {
    hold(after.fields.dispatchedAt === draft.now, 'an opening is dispatched now');
  }
  for (const { idx, attempts } of draft.deadLetters) {
    const row = after.rows.find((other) => other.idx === idx);
    hold(row?.status === 'failed' && row.attempts === attempts, 'a dead letter is of a step that has failed for good');
  }
  const newlyFailed = after.rows.filter(
    ({ idx, status }) => status === 'failed' && before.rows.find((old) => old.idx === idx)?.status !== 'failed',
  );
  hold(newlyFailed.length === draft.deadLetters.length, 'every failure for good leaves one dead letter');
  if (kindOf(outcome) === 'stale') hold(same, 'a stale settlement changes nothing');
}

function holdTokens(walk: TurnWalk): void {
  const held = new Map<string, number>();
  for (const row of walk.jobs.flatMap((job) => job.rows)) {
    const step = walk.pipeline.steps[row.idx];
    if (!row.held || !step) continue;
    for (const { pool, count } of tokensOf(walk.pipeline.name, step)) held.set(pool, (held.get(pool) ?? 0) + count);
  }
  for (const [name, { used, max }] of walk.pools) {
    hold(used === (held.get(name) ?? 0), `${name}: used ${used} is what is held, ${held.get(name)}`);
    hold(used <= max, `${name}: used ${used} is at most ${max}`);
  }
}

const kindOf = (outcome: unknown): string =>
  typeof outcome === 'object' && outcome !== null && 'kind' in outcome ? String(outcome.kind) : '';

const choices = fc.array(fc.nat(5_039), { minLength: 100, maxLength: 800, size: 'max' });

describe('any history of a job', () => {
  const seen = new Map<string, number>();

  function tryHistory(pipeline: PipelineDefinition, numbers: readonly number[]): void {
    let next = 0;
    const walk = new TurnWalk(
      pipeline,
      (count) => (numbers[next++] ?? 0) % count,
      (move) => {
        holdMove(move);
        holdJob(walk, move.after);
        holdTokens(walk);
        const kind = `${move.name} ${kindOf(move.outcome)}`.trim();
        if (move.draft.changed || kind.endsWith('stale')) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      },
    );
    while (next < numbers.length) walk.move();
    walk.finish();
    for (const pool of walk.pools.values()) hold(pool.used === 0, 'in the end all tokens are back');
  }

  it('keeps every rule at every step, and can be brought to its end from wherever it is', () => {
    const histories = fc.property(randomPipeline({ limited: true }), choices, tryHistory);
    fc.assert(histories, { numRuns: 400 });
  });

  it('went through every rule, with good ends and stale ones', () => {
    const wanted = [
      ...['release', 'claim taken', 'claim nothing', 'claim quarantined', 'handBack', 'mend', 'releaseRetry'],
      ...['settle settled', 'settle stale', 'settle unread settled', 'settle unread stale', 'releaseParked'],
      ...['cancel', 'stop settled', 'stop stale', 'finishCancel', 'retry', 'rerun'],
    ];
    expect(wanted.filter((name) => (seen.get(name) ?? 0) === 0)).toEqual([]);
  });
});
