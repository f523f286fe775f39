import fc from 'fast-check';
import { isLimited } from '#shared/domain/pipeline';
import { hasStep } from '#shared/domain/step-set';
import { cancelJob, finishCancel } from '#shared/domain/turn/cancel';
import { retryJob } from '#shared/domain/turn/retry';
import { claimStep } from '#shared/domain/turn/claim';
import { endAttempt } from '#shared/domain/turn/end-attempt';
import { JobDraft, type Micros } from '#shared/domain/turn/job-draft';
import { handBack, mendSteps, releaseJob, releaseParked, releaseRetry } from '#shared/domain/turn/mend';
import { type Facts, JobTransactions } from '#shared/store/jobs/job-transactions';
import type { StoredPipeline } from '#shared/store/jobs/pipeline-store';
import { COMPLETED, failure, MEASURED, SECOND } from '../support/drafts';
import { randomPipeline } from '../support/random-pipelines';
import { type Choose, type StoredJob, TurnWalk } from '../support/turn-walk';
import { type CoreStage, newJobId, openStage } from './core-stage';

let stage: CoreStage;
let transactions: JobTransactions;

beforeAll(async () => {
  stage = await openStage();
  transactions = new JobTransactions(await stage.connect(), stage.pipelines);
});
afterAll(async () => {
  await transactions.close();
  await stage.close();
});

const databaseNow = async (): Promise<Micros> => {
  const [row] = await stage.server.query<{ us: string }>('SELECT (extract(epoch FROM now()) * 1000000)::bigint AS us');
  return Number(row?.us);
};

async function addWorker(id: string, leaseSeconds: number): Promise<void> {
  await stage.server.query(
    `INSERT INTO workers (id, name, version, pid, queues, capacity, lease_until)
     VALUES ($1, 'w', '1', 1, '{default}', 1, now() + $2 * interval '1 second')
     ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until`,
    [id, leaseSeconds],
  );
}

type Rule = (draft: JobDraft, facts: Facts) => unknown;

/** Any rule, with any arguments that somebody might believe in. */
function ruleOf(job: StoredJob, pipeline: StoredPipeline, walk: TurnWalk, choose: Choose): [name: string, rule: Rule] {
  const { definition } = pipeline;
  const idx = choose(definition.steps.length);
  const row = job.rows.find((found) => found.idx === idx);
  const worker = row?.worker ?? 'A';
  const epoch = row?.epoch ?? 1;
  const fast = row ? choose(4) === 0 : true;
  const key = { run: job.fields.run, head: row?.turn ?? idx, idx, epoch, fast, worker };
  const keeps = BigInt(choose(64));
  const mayKeep = (kept: number): boolean => {
    const step = definition.steps[kept];
    return hasStep(keeps, kept) && step !== undefined && !isLimited(step);
  };
  const claim: Rule = (draft, { leases, pools }) =>
    claimStep(draft, {
      ...{ run: job.fields.run, head: key.head, worker: 'C', leases, pools, knows: () => false },
      ...{ isOwn: (id: string) => id === 'C', mayTakeSuspect: () => true },
    });
  const rules: [string, Rule][] = [
    ['claim', claim],
    ['claim', claim],
    ['complete', (draft, { pools }) => endAttempt(draft, key, COMPLETED, MEASURED, pools, mayKeep)],
    ['retry later', (draft, { pools }) => endAttempt(draft, key, failure(2_500), MEASURED, pools, mayKeep)],
    ['fail', (draft, { pools }) => endAttempt(draft, key, failure('final'), MEASURED, pools, mayKeep)],
    ['hand back', (draft, { pools }) => handBack(draft, idx, worker, epoch, pools)],
    ['mend', (draft) => mendSteps(draft, draft.graph.all, job.fields.dispatchedAt ?? 0, () => true)],
    ['release retry', (draft) => releaseRetry(draft, idx)],
    ['release parked', (draft) => releaseParked(draft, idx)],
    ['release job', (draft) => releaseJob(draft)],
    ['cancel', (draft) => cancelJob(draft)],
    ['finish cancel', (draft, { leases, pools }) => finishCancel(draft, leases, pools)],
    ['retry', (draft, { pools }) => retryJob(draft, null, pools)],
    ['rerun', (draft, { pools }) => retryJob(draft, idx, pools)],
  ];
  const effective = rules.filter(([, rule]) => changes(job, rule, pipeline, walk));
  const from = effective.length > 0 && choose(5) > 0 ? effective : rules;
  const chosen = from[choose(from.length)];
  if (!chosen) throw new RangeError('no rule');
  return chosen;
}

/** Whether the rule would change the job, as far as can be said before it is locked. */
function changes(job: StoredJob, rule: Rule, { definition, graph }: StoredPipeline, walk: TurnWalk): boolean {
  const { fields, rows } = structuredClone(job);
  const draft = new JobDraft(fields, rows, definition, graph, walk.now);
  rule(draft, { leases: new Map(), pools: structuredClone(walk.pools), statusOf: () => undefined });
  return draft.changed || draft.changedRows.size > 0;
}

const inOrder = (job: StoredJob): StoredJob => ({
  fields: job.fields,
  rows: job.rows.map((row) => ({ ...row, output: row.output ?? undefined })).sort((a, b) => a.idx - b.idx),
  attempts: job.attempts.toSorted((a, b) => a.idx - b.idx || a.number - b.number),
});

describe('any rule, applied through the store', () => {
  const seen = new Map<string, number>();

  async function compare(pipeline: StoredPipeline, job: StoredJob, name: string, rule: Rule): Promise<StoredJob> {
    let poolsBefore: Facts['pools'] = new Map();
    let leases: Facts['leases'] = new Map();
    let read: object = {};
    const applied = await transactions.run({
      jobId: job.fields.id,
      apply: (draft, facts) => {
        poolsBefore = structuredClone(facts.pools);
        leases = new Map(facts.leases);
        const readRows = [...draft.rows.values()].sort((a, b) => a.idx - b.idx);
        read = structuredClone({ fields: draft.job, rows: readRows });
        return rule(draft, facts);
      },
    });
    if (!applied) throw new Error('the job is gone');
    const { fields, rows } = structuredClone(job);
    // The store reads no outputs: no rule looks at them.
    const withoutOutputs = rows.map(({ output: _, ...row }) => row).sort((a, b) => a.idx - b.idx);
    expect(read).toEqual({ fields, rows: withoutOutputs });

    const draft = new JobDraft(fields, rows, pipeline.definition, pipeline.graph, applied.draft.now);
    const result = rule(draft, { pools: poolsBefore, leases, statusOf: () => undefined });
    expect(applied.result).toEqual(result);
    expect(applied.statusBefore).toBe(job.fields.status);
    const changed = draft.changed || draft.changedRows.size > 0;
    if (changed) fields.version += 1;
    const { versions: _, ...stored } = await stage.read(job.fields.id);
    const after = { fields, rows: [...draft.rows.values()], attempts: [...job.attempts, ...draft.attempts] };
    expect(inOrder(stored)).toEqual(inOrder(after));
    const pools = await stage.server.query<{ name: string; used: number; max: number }>(
      'SELECT * FROM pools ORDER BY name',
    );
    for (const [pool, { used, max }] of poolsBefore) expect(pools).toContainEqual({ name: pool, used, max });
    if (changed) seen.set(name, (seen.get(name) ?? 0) + 1);
    return stored;
  }

  it('reads every column as it was stored and writes what the rule alone would', async () => {
    const choices = fc.noBias(fc.array(fc.nat(5_039), { minLength: 400, maxLength: 400 }));
    const tried = fc.asyncProperty(
      randomPipeline({ limited: true, minSteps: 2 }),
      choices,
      async (definition, numbers) => {
        let next = 0;
        const choose: Choose = (count) => (numbers[next++ % numbers.length] ?? 0) % count;
        const pipeline = await stage.save(definition);
        const start = (await databaseNow()) - choose(3) * 30 * SECOND;
        for (const [index, worker] of ['A', 'B', 'C'].entries()) await addWorker(worker, choose(2) === 0 ? -index : 10);
        const walk = new TurnWalk(definition, choose, () => undefined, { start });
        for (let move = choose(40); move > 0; move -= 1) walk.move();
        await stage.server.query('DELETE FROM pools');
        for (const [name, { used, max }] of walk.pools) {
          await stage.server.query('INSERT INTO pools (name, used, max) VALUES ($1, $2, $3)', [name, used, max]);
        }
        for (const stored of walk.jobs) {
          let job: StoredJob = { ...stored, fields: { ...stored.fields, id: newJobId() } };
          await stage.put(pipeline, job);
          for (let change = 0; change < 5; change += 1) {
            const [name, rule] = ruleOf(job, pipeline, walk, choose);
            job = await compare(pipeline, job, name, rule);
          }
        }
      },
    );
    await fc.assert(tried, { numRuns: 50 });
  }, 60_000);

  it('went through most rules', () => {
    const wanted = ['claim', 'complete', 'retry later', 'fail', 'mend', 'release job', 'cancel', 'rerun'];
    expect(wanted.filter((name) => !seen.has(name))).toEqual([]);
  });
});
