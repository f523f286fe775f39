import type { z } from 'zod';
import { batchRequest, listQuery, logsQuery, submitRequest } from '#shared/contracts/ingest-request';
import { inputFaults } from '#shared/contracts/input-faults';

function faultsOf(schema: z.ZodType, value: unknown): Record<string, string> {
  const parsed = schema.safeParse(value);
  return parsed.success ? {} : Object.fromEntries(inputFaults(parsed.error).map((each) => [each.path, each.message]));
}
const json = (text: string): unknown => JSON.parse(text);
const nested = (depth: number): unknown => json(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);

const ID = '0190a0b0-0000-7000-8000-000000000001';

describe('a submitted job', () => {
  it('may leave everything out', () => {
    expect(submitRequest.parse({})).toEqual({ pipeline: 'repository', priority: 'default' });
  });

  it('takes null for left out where a job shows null', () => {
    const nulls = { source: null, source_type: null, branch: null, eta: null, countdown: null, description: null };
    expect(faultsOf(submitRequest, { ...nulls, idempotency_key: null })).toEqual({});
  });

  it('turns its eta into seconds', () => {
    expect(submitRequest.parse({ eta: '2027-01-15T08:00:00Z' }).eta).toBe(1_800_000_000);
    expect(submitRequest.parse({ eta: 1_800_000_000.5 }).eta).toBe(1_800_000_000.5);
  });

  it.each<[string, unknown, string, string | RegExp]>([
    ['no object', [], '', 'expected object, found array'],
    ['nothing', undefined, '', 'expected object, found nothing'],
    ['an unknown field', { sauce: '/x' }, 'sauce', 'is not a known field'],
    ['__proto__', json('{"__proto__": {"a": 1}}'), '__proto__', 'is not a known field'],
    ['__proto__ in the input', { input: json('{"a": [{"__proto__": 1}]}') }, 'input.a.0.__proto__', /not allowed/],
    ['__proto__ in options', { options: json('{"s": {"__proto__": {}}}') }, 'options.s.__proto__', /not allowed/],
    ['a number for a source', { source: 5 }, 'source', 'expected string, found number'],
    ['an empty source', { source: '' }, 'source', /Too small/],
    ['NUL in a source', { source: 'a\0b' }, 'source', /NUL/],
    ['half a surrogate pair', { description: '\ud83d' }, 'description', /surrogate/],
    ['NUL in the input', { input: { a: { b: 'x\0' } } }, 'input.a.b', /NUL/],
    ['NUL in a name', { input: { 'a\0': 1 } }, 'input.a\0', /NUL/],
    ['a list as input', { input: [] }, 'input', 'expected a JSON object'],
    ['null as input', { input: null }, 'input', 'expected a JSON object'],
    ['a number too large', { input: { n: json('1e999') } }, 'input.n', /beyond/],
    ['input nested 10,000 deep', { input: nested(10_000) }, `input${'.a'.repeat(65)}`, /nested more than 64/],
    ['a priority that is none', { priority: 'urgent' }, 'priority', /one of "high"\|"default"\|"low"/],
    ['no steps', { steps: [] }, 'steps', /Too small/],
    ['a name for steps', { steps: 'filesystem' }, 'steps', /array/],
    ['options of no step', { options: [] }, 'options', /record|object/],
    ['options that are none', { options: { noop: 5 } }, 'options.noop', 'expected a JSON object'],
    ['an eta in a string', { eta: '1800000000' }, 'eta', /number in a string/],
    ['an eta in milliseconds', { eta: 1_800_000_000_000 }, 'eta', /milliseconds/],
    ['an eta without offset', { eta: '2027-01-15T08:00:00' }, 'eta', /offset/],
    ['an eta that is true', { eta: true }, 'eta', /expected ISO 8601/],
    ['a negative countdown', { countdown: -1 }, 'countdown', /0 or more/],
    ['a countdown in a string', { countdown: '5' }, 'countdown', 'expected number, found string'],
    ['a countdown of eleven years', { countdown: 11 * 365 * 86_400 }, 'countdown', /ten years/],
    ['a job to wait for that is none', { depends_on: ['x'] }, 'depends_on.0', /expected the id of a job/],
    ['101 jobs to wait for', { depends_on: Array.from({ length: 101 }, () => ID) }, 'depends_on', /Too big/],
    ['a tag that is a number', { tags: ['a', 1] }, 'tags.1', /string/],
    ['51 tags', { tags: Array.from({ length: 51 }, String) }, 'tags', /Too big/],
    ['a long key', { idempotency_key: 'k'.repeat(256) }, 'idempotency_key', /Too big/],
  ])('is refused with %s', (_, body, path, message) => {
    expect(faultsOf(submitRequest, body)[path.slice(0, 200)]).toMatch(message);
  });

  it('is told of every fault, but of no more than twenty', () => {
    expect(Object.keys(faultsOf(submitRequest, { a: 1, source: 1, priority: 1 })).sort()).toEqual([
      'a',
      'priority',
      'source',
    ]);
    const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`field${index}`, 1]));
    expect(Object.keys(faultsOf(submitRequest, many))).toHaveLength(20);
  });

  it('may have input nested 64 deep', () => {
    expect(faultsOf(submitRequest, { input: nested(64) })).toEqual({});
  });
});

describe('a batch', () => {
  it.each<[unknown]>([
    [{}],
    [{ jobs: [] }],
    [{ jobs: {} }],
    [{ jobs: Array(1_001).fill({}) }],
    [{ jobs: [{}], more: 1 }],
    [[]],
  ])('is refused: %#', (body) => {
    expect(batchRequest.safeParse(body).success).toBe(false);
  });

  it('holds up to 1,000 jobs, whatever they are', () => {
    expect(batchRequest.parse({ jobs: Array(1_000).fill(5) }).jobs).toHaveLength(1_000);
  });
});

describe('the parameters of the list', () => {
  it('have defaults', () => {
    expect(listQuery.parse({})).toEqual({ limit: 50, sort: '-created_at' });
  });

  it('are read from text', () => {
    const query = { status: ['failed', 'retrying'], limit: '200', created_after: '2026-11-23T10:00:00+02:00' };
    expect(listQuery.parse(query)).toMatchObject({
      status: ['failed', 'retrying'],
      limit: 200,
      created_after: new Date('2026-11-23T08:00:00Z'),
    });
    expect(listQuery.parse({ status: 'failed' }).status).toEqual(['failed']);
  });

  it.each<[Record<string, unknown>, string, RegExp]>([
    [{ limit: '0' }, 'limit', /from 1 to 200/],
    [{ limit: '201' }, 'limit', /from 1 to 200/],
    [{ limit: '1000000' }, 'limit', /from 1 to 200/],
    [{ limit: '-1' }, 'limit', /from 1 to 200/],
    [{ limit: '1e2' }, 'limit', /from 1 to 200/],
    [{ limit: '' }, 'limit', /from 1 to 200/],
    [{ limit: ['5', '6'] }, 'limit', /from 1 to 200/],
    [{ page: '2' }, 'page', /not a known field/],
    [{ status: 'done' }, 'status', /one of scheduled, .*, retrying/],
    [{ status: ['failed', 'done'] }, 'status', /one of/],
    [{ sort: 'id' }, 'sort', /one of/],
    [{ q: '' }, 'q', /Too small/],
    [{ q: 'a\0' }, 'q', /NUL/],
    [{ created_after: '2026-11-23' }, 'created_after', /offset/],
    [{ created_after: '2026-11-23T10:00:00 02:00' }, 'created_after', /%2B/],
    [{ created_before: '1800000000' }, 'created_before', /ISO 8601/],
    [{ tag: ['a', 'b'] }, 'tag', /string/],
  ])('%j is refused', (query, path, message) => {
    expect(faultsOf(listQuery, query)[path]).toMatch(message);
  });

  it('of logs may name an attempt', () => {
    expect(logsQuery.parse({})).toEqual({});
    expect(logsQuery.parse({ step: 'a', attempt: '2' })).toEqual({ step: 'a', attempt: 2 });
    expect(logsQuery.safeParse({ attempt: '0' }).success).toBe(false);
  });
});

describe('names that would pass unseen', () => {
  it('refuses a step called __proto__ in the options', () => {
    const body: unknown = JSON.parse('{"pipeline": "example", "options": {"__proto__": {"a": 1}}}');
    expect(submitRequest.safeParse(body).error?.issues[0]?.path).toEqual(['options', '__proto__']);
  });

  it('refuses a NUL in the filter for a pipeline', () => {
    expect(listQuery.safeParse({ pipeline: '\0' }).success).toBe(false);
  });
});
