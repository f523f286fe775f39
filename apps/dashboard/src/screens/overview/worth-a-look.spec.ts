import type { DeadLetterGroup } from '#shared/contracts/dead-letter';
import type { ResourceStatus } from '#shared/contracts/resource-status';
import { type Seen, worthALook } from './worth-a-look';

const NOW = Date.parse('2030-01-01T12:00:00.000Z');
const SPREAD = { avg: null, min: null, max: null };
const QUANTILES = { ...SPREAD, p50: null, p95: null, p99: null };

type Worker = ResourceStatus['workers'][number];
type Pipeline = ResourceStatus['metrics']['pipelines'][string];

const worker = (name: string, status: Worker['status'], lastSeen = '2030-01-01T11:59:00.000Z'): Worker => ({
  ...{ id: name, name, version: '1', status, last_seen: lastSeen, running: 0, capacity: 4 },
  ...{ cpu_percent: null, memory_mb: null },
});

const pipeline = (ended: number, failed: number, steps: Pipeline['steps'] = {}): Pipeline => ({
  ...{ job_count: ended, failed, duration_seconds: QUANTILES, wait_seconds: QUANTILES, steps },
});

const step = (attempts: number, retries: number): Pipeline['steps'][string] => ({
  ...{ attempts, failures: retries, retries, duration_seconds: QUANTILES, cpu_percent: SPREAD, memory_mb: SPREAD },
});

const metricsOf = (pipelines: Record<string, Pipeline>): ResourceStatus['metrics'] => ({
  ...{ window_seconds: 3_600, job_count: 0, duration_seconds: QUANTILES, cpu_percent: SPREAD, memory_mb: SPREAD },
  ...{ steps: {}, pipelines },
});

const statusOf = (over: Partial<ResourceStatus> = {}): ResourceStatus => ({
  ...{ tokens: { available_tokens: 0, max_tokens: 0, pools: {} }, limits: {}, metrics: metricsOf({}) },
  ...{ jobs: {}, queues: {}, workers: [worker('w', 'alive')], stale: false },
  ...over,
});

const seen = (over: Partial<Seen> = {}): Seen => ({
  ...{ status: statusOf(), deadLetters: { items: [], has_more: false }, firstDue: { eta: null, seenAtMs: NOW } },
  ...{ freshAtMs: NOW, historyIsStale: false, unread: [] },
  ...over,
});

const found = (status: Partial<ResourceStatus>) => worthALook(seen({ status: statusOf(status) }));

it('finds nothing where all is well, or where nothing is known', () => {
  expect(worthALook(seen())).toEqual([]);
  expect(worthALook(seen({ status: null, deadLetters: null, firstDue: null }))).toEqual([]);
});

it('counts dead letters, names the most frequent, and says when the last came', () => {
  const group = (count: number, last_at: string): DeadLetterGroup => ({
    ...{ fingerprint: 'f', count, pipeline: 'docs', step: 'fetch', first_at: last_at, last_at },
    error: { message: 'refused', kind: 'permanent', code: null },
  });
  const items = [group(8, '2030-01-01T11:00:00.000Z'), group(2, '2030-01-01T11:30:00.000Z')];
  expect(worthALook(seen({ deadLetters: { items, has_more: false } }))).toMatchObject([
    { weight: 'bad', what: '10 dead letters', when: { at: '2030-01-01T11:30:00.000Z' }, href: '/dead-letters' },
  ]);
  expect(worthALook(seen({ deadLetters: { items, has_more: true } }))[0]?.what).toBe('More than 10 dead letters');
});

it('finds failing pipelines by their share, with an address for whatever they are called', () => {
  const pipelines = { 'a&b': pipeline(4, 3), rare: pipeline(1_000, 3), some: pipeline(10, 1), idle: pipeline(0, 0) };
  expect(found({ metrics: metricsOf(pipelines) })).toMatchObject([
    { weight: 'bad', what: '3 of 4 runs of a&b failed', href: '/jobs?status=failed&pipeline=a%26b' },
    { weight: 'warn', what: '1 of 10 runs of some failed' },
  ]);
});

it('finds steps that are retried often, and counts those beyond a few', () => {
  const steps = { often: step(20, 9), seldom: step(100, 9), few: step(4, 4) };
  expect(found({ metrics: metricsOf({ docs: pipeline(0, 0, steps) }) })).toMatchObject([
    { what: 'docs/often was retried 9 times', href: '/jobs?status=retrying&pipeline=docs' },
  ]);
  const many = Object.fromEntries(Array.from({ length: 8 }, (_, nth) => [`s${nth}`, step(10, 5 + nth)]));
  const listed = found({ metrics: metricsOf({ docs: pipeline(0, 0, many) }) });
  expect(listed).toHaveLength(6);
  expect(listed[0]?.what).toBe('docs/s7 was retried 12 times');
  expect(listed[5]?.what).toBe('3 more steps with many retries');
});

it('says who has gone, and that nobody is alive, but not when nobody knows', () => {
  const gone = [worker('a', 'gone', '2030-01-01T10:00:00.000Z'), worker('b', 'gone', '2030-01-01T11:00:00.000Z')];
  expect(found({ workers: [worker('c', 'alive'), ...gone] })).toMatchObject([
    { weight: 'warn', what: '2 workers have gone', when: { at: '2030-01-01T11:00:00.000Z' } },
  ]);
  expect(found({ workers: gone, jobs: { pending: 1 } })).toMatchObject([
    { weight: 'bad', what: 'No worker is alive', more: '1 job cannot go on until one is started' },
  ]);
  expect(found({ workers: [] })).toHaveLength(1);
  expect(found({ workers: [], stale: true }).map(({ key }) => key)).toEqual(['stale']);
});

it('finds steps that have long been ready, and queues whose depth is not known', () => {
  const queue = (oldest: number | null, ready: number | null = 3) => ({
    ...{ ready, running: 1, retrying: 0, oldest_ready_seconds: oldest },
  });
  const problems = found({ queues: { a: queue(59), b: queue(61), c: queue(601), d: queue(null, null) } });
  expect(problems.map(({ key, weight }) => [key, weight])).toEqual([
    ['waiting c', 'bad'],
    ['waiting b', 'warn'],
    ['depth unknown', 'warn'],
  ]);
  expect(problems[1]?.what).toBe('A step in queue b has been ready for 1 min 01 s');
});

it('finds a late scheduler by the time at which it was looked', () => {
  const due = (agoMs: number) => ({ eta: new Date(NOW - agoMs).toISOString(), seenAtMs: NOW });
  expect(worthALook(seen({ firstDue: due(14_000) }))).toEqual([]);
  expect(worthALook(seen({ firstDue: due(-60_000) }))).toEqual([]);
  expect(worthALook(seen({ firstDue: due(20_000) }))).toMatchObject([{ key: 'late', href: '/scheduled' }]);
});

it('says what is stale and since when, and what could not be read', () => {
  const problems = worthALook(
    seen({ status: statusOf({ stale: true }), historyIsStale: true, unread: ['Dead letters'] }),
  );
  expect(problems.map(({ key }) => key)).toEqual(['unread Dead letters', 'stale', 'stale hour']);
  expect(problems[1]?.when?.at).toBe('2030-01-01T12:00:00.000Z');
});
