import { hasStep, isSubset, NO_STEPS, stepBit, stepsIn } from '#shared/domain/step-set';
import { jobTransition } from '#shared/domain/transitions';
import { endAttempt } from '#shared/domain/turn/end-attempt';
import { JobDraft, type Micros } from '#shared/domain/turn/job-draft';
import type { FastSettle, FastSettled, FastStep } from '#shared/store/jobs/fast-settlement';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import type { StoredJob } from './turn-walk';

/**
 * What a fast turn writes, told by the pure rules: the end of each step, one after another, all or nothing. Two things are
 * the statement's own. A step that the turn itself opened counts as open though the job is being cancelled; and the step
 * that the turn goes on with is chosen at its end, among all that it has opened.
 */
export function settleByRules(
  job: StoredJob,
  pipeline: StoredPipeline,
  item: FastSettle,
  now: Micros,
  worker: string,
): [FastSettled, StoredJob] {
  const stale: [FastSettled, StoredJob] = [{ kind: 'stale' }, job];
  const fields = { ...job.fields };
  const rows = job.rows.map((row) => ({ ...row }));
  const draft = new JobDraft(fields, rows, pipeline.definition, pipeline.graph, now);
  const { run, head, steps } = item;
  let own = NO_STEPS;
  let running = NO_STEPS;
  for (const step of steps) {
    const needs = pipeline.graph.needs[step.idx] ?? NO_STEPS;
    if (draft.job.status === 'cancelling' && needs !== NO_STEPS && isSubset(needs, own))
      fields.open |= stepBit(step.idx);
    if (step.kind === 'running') {
      if (!recordRunning(draft, item, step, worker)) return stale;
      running |= stepBit(step.idx);
      continue;
    }
    const key = { run, head, idx: step.idx, epoch: 1, fast: true, worker };
    const completed = { kind: 'completed' as const, output: step.output };
    if (endAttempt(draft, key, completed, step, new Map(), () => false).kind === 'stale') return stale;
    own |= stepBit(step.idx);
  }
  const opened = fields.open & ~job.fields.open & ~running;
  const kept = stepsIn(opened & item.keepable)[0] ?? null;
  if (kept !== null) {
    Object.assign(draft.moveStep(kept, 'claim'), { worker, turn: head, startedAt: now });
  }
  fields.dispatchedAt = opened === NO_STEPS ? job.fields.dispatchedAt : now;
  fields.version += 1;
  const result: FastSettled = {
    ...{ kind: 'settled', status: fields.status, statusBefore: job.fields.status, version: fields.version, kept },
    opened: kept === null ? opened : opened & ~stepBit(kept),
    dispatchedAt: fields.dispatchedAt ?? 0,
  };
  const after = { fields, rows: [...draft.rows.values()], attempts: [...job.attempts, ...draft.attempts] };
  return [result, after];
}

function recordRunning(draft: JobDraft, { run, head }: FastSettle, step: FastStep, worker: string): boolean {
  const { job } = draft;
  const isLive = jobTransition(job.status, 'complete') !== null && job.run === run;
  if (!isLive || !draft.isOpen(step.idx) || hasStep(job.done | job.dead | job.slow, step.idx)) return false;
  const row = draft.moveStep(step.idx, 'claim');
  Object.assign(row, { worker, turn: head, startedAt: step.startedAt });
  job.startedAt ??= step.startedAt;
  draft.updateStatus();
  return true;
}
