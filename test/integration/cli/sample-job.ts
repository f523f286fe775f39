import type { JobView, StepView } from '#shared/contracts/job';

export const JOB_ID = '0190a4c2-5b7e-7c3a-9d21-4f6b8e1a2c3d';

export function sampleStep(over: Partial<StepView> = {}): StepView {
  return {
    name: 'filesystem',
    uses: 'filesystem',
    needs: [],
    status: 'pending',
    progress: 0,
    message: null,
    attempt: 0,
    retry_count: 0,
    max_retries: 3,
    next_retry_at: null,
    last_error: null,
    started_at: null,
    completed_at: null,
    duration_ms: null,
    cpu_percent: null,
    memory_mb: null,
    worker: null,
    output: null,
    ...over,
  };
}

export function sampleJob(over: Partial<JobView> = {}): JobView {
  return {
    id: JOB_ID,
    pipeline: 'repository',
    pipeline_hash: 'abc',
    source: '/somewhere/code',
    source_type: 'local_path',
    branch: null,
    commit: null,
    input: {},
    status: 'pending',
    priority: 'default',
    progress: 0,
    eta: null,
    countdown: null,
    created_at: '2030-01-31T12:00:00.000Z',
    queued_at: null,
    started_at: null,
    completed_at: null,
    duration_ms: null,
    tags: [],
    description: null,
    idempotency_key: null,
    depends_on: [],
    on_dependency_failure: null,
    schedule_id: null,
    current_steps: [],
    retry_count: 0,
    last_error: null,
    result: null,
    version: 1,
    steps: [sampleStep(), sampleStep({ name: 'documentation', uses: 'documentation', needs: ['filesystem'] })],
    ...over,
  };
}

export const COMPLETED = sampleJob({
  status: 'completed',
  progress: 100,
  started_at: '2030-01-31T12:00:01.000Z',
  completed_at: '2030-01-31T12:00:04.200Z',
  duration_ms: 3_200,
  version: 9,
  steps: [
    sampleStep({ status: 'completed', progress: 100, attempt: 1, duration_ms: 1_100 }),
    sampleStep({
      name: 'documentation',
      status: 'completed',
      progress: 100,
      attempt: 2,
      retry_count: 1,
      duration_ms: 850,
    }),
  ],
});

const ERROR = {
  message: 'no such\nhost \u001b[31mred',
  kind: 'transient' as const,
  code: null,
  at: '2030-01-31T12:00:05.000Z',
  attempt: 2,
};

export const RETRYING = sampleJob({
  status: 'running',
  progress: 55,
  started_at: '2030-01-31T12:00:01.000Z',
  retry_count: 1,
  last_error: ERROR,
  tags: ['nightly', 'big'],
  steps: [
    sampleStep({
      ...{ status: 'completed', progress: 100, attempt: 1, duration_ms: 61_000, cpu_percent: 97.5, memory_mb: 210.2 },
    }),
    sampleStep({
      name: 'documentation',
      status: 'retrying',
      progress: 10,
      attempt: 2,
      retry_count: 1,
      next_retry_at: '2030-01-31T12:00:18.400Z',
      last_error: ERROR,
    }),
  ],
});

export const FAILED = sampleJob({ status: 'failed', progress: 55, last_error: { ...ERROR, kind: 'permanent' } });
export const CANCELLED = sampleJob({ status: 'cancelled' });
