import type { JobPage, JobView, Problem } from '#shared/contracts/job';
import { GatewayStage } from './gateway-stage';

let stage: GatewayStage;

beforeAll(async () => {
  stage = await GatewayStage.start();
});
afterAll(() => stage.stop());
beforeEach(() => stage.database.query('TRUNCATE jobs CASCADE'));

type Item = JobView | Problem;
const isJob = (item: Item | undefined): item is JobView => item !== undefined && 'id' in item;

/** What is said of the one thing that is wrong. */
const faultOf = (item: Item | undefined): string => {
  if (item === undefined || isJob(item)) return `accepted: ${item?.eta}`;
  const [first, ...others] = item.errors ?? [];
  return `${item.status} ${first?.path}: ${first?.message}${others.length > 0 ? ` and ${others.length} more` : ''}`;
};

/** Each body as it is sent, by itself and as one of a batch; texts are sent as they are. */
async function submitBothWays(bodies: readonly string[]): Promise<{ alone: Item[]; inBatch: Item[] }> {
  const alone: Item[] = [];
  for (const body of bodies) alone.push((await stage.submit(body)).body);
  const batch = await stage.post<{ items: Item[] }>('/v1/ingest/batch', `{"jobs": [${bodies.join(',')}]}`);
  expect(batch.status).toBe(202);
  return { alone, inBatch: batch.body.items };
}

const bodyOf = (fields: string): string => `{"pipeline": "chain", ${fields}}`;

const nowMs = Date.now();
const inDays = (days: number): number => Math.floor(nowMs / 1_000) + days * 86_400;
const year = new Date(nowMs).getUTCFullYear();

describe('an eta as it may be written', () => {
  const [ahead, past] = [`${year + 1}-03-04`, `${year - 2}-03-04`];
  const ACCEPTED: [eta: string, expected: string][] = [
    [`"${ahead}T08:00:00+02:00"`, `${ahead}T06:00:00.000Z`],
    [`"${ahead}T08:00:00+0200"`, `${ahead}T06:00:00.000Z`],
    [`"${ahead}T08:00:00+02"`, `${ahead}T06:00:00.000Z`],
    [`"${ahead}T08:00:00-03:30"`, `${ahead}T11:30:00.000Z`],
    [`"${ahead}T08:00:00Z"`, `${ahead}T08:00:00.000Z`],
    [`"${ahead}t08:00:00z"`, `${ahead}T08:00:00.000Z`],
    [`"${ahead} 08:00Z"`, `${ahead}T08:00:00.000Z`],
    [`"${ahead}T08:00:00.123Z"`, `${ahead}T08:00:00.123Z`],
    [`"${ahead}T08:00:00.9996Z"`, `${ahead}T08:00:00.999Z`],
    ['"2024-02-29T00:00:00Z"', '2024-02-29T00:00:00.000Z'],
    ['"2028-02-29T23:59:59Z"', '2028-02-29T23:59:59.000Z'],
    [`"${past}T08:00:00-11:00"`, `${past}T19:00:00.000Z`],
    ['"0001-01-01T00:00:00Z"', '0001-01-01T00:00:00.000Z'],
    ['"1582-10-10T00:00:00.001Z"', '1582-10-10T00:00:00.001Z'],
    ['0', '1970-01-01T00:00:00.000Z'],
    ['-0.5', '1969-12-31T23:59:59.500Z'],
    ['1.7e9', '2023-11-14T22:13:20.000Z'],
    [String(inDays(3)), new Date(inDays(3) * 1_000).toISOString()],
    [`${inDays(3)}.25`, new Date(inDays(3) * 1_000 + 250).toISOString()],
  ];

  it('is kept to the millisecond; past ones start at once', async () => {
    const { alone, inBatch } = await submitBothWays(ACCEPTED.map(([eta]) => bodyOf(`"eta": ${eta}`)));
    for (const jobs of [alone, inBatch]) {
      const shown = jobs.map((item) => (isJob(item) ? [item.eta, item.countdown, item.status] : faultOf(item)));
      expect(shown).toEqual(ACCEPTED.map(([, eta]) => [eta, null, Date.parse(eta) > nowMs ? 'scheduled' : 'pending']));
      for (const item of jobs.filter(isJob)) {
        expect(item.queued_at === null).toBe(item.status === 'scheduled');
        expect((await stage.get(`/v1/ingest/${item.id}`)).body).toEqual(item);
      }
    }
  });

  const offset = 'has no offset: add Z, or the offset from UTC like +02:00';
  const REFUSED: [eta: string, message: string][] = [
    [`"${ahead}T08:00:00"`, offset],
    [`"${ahead} 08:00"`, offset],
    [`"${ahead}"`, offset],
    [`"${year}-02-30T08:00:00Z"`, 'there is no such day'],
    ['"2027-02-29T00:00:00Z"', 'there is no such day'],
    ['"2100-02-29T00:00:00Z"', 'there is no such day'],
    [`"${ahead}T25:00:00Z"`, 'there is no such time of day'],
    [`"${ahead}T08:00:60Z"`, 'there is no such time of day'],
    ['"10000-01-01T00:00:00Z"', 'expected ISO 8601'],
    ['"9999-12-31T23:59:59Z"', 'is more than ten years ahead'],
    [`"${year + 11}-01-01T00:00:00Z"`, 'is more than ten years ahead'],
    [String(inDays(3_660)), 'is more than ten years ahead'],
    ['99999999999', 'is more than ten years ahead'],
    [String(nowMs), 'can only be milliseconds: send Unix seconds'],
    [String(nowMs * 1_000), 'can only be milliseconds: send Unix seconds'],
    ['1e400', 'expected ISO 8601 with an offset or Z, or Unix seconds'],
    [`"${inDays(3)}"`, 'is a number in a string'],
    ['"NaN"', 'expected ISO 8601'],
    ['"Infinity"', 'expected ISO 8601'],
    ['""', 'expected ISO 8601'],
    ['"tomorrow"', 'expected ISO 8601'],
    ['true', 'expected ISO 8601'],
    ['[]', 'expected ISO 8601'],
    ['{}', 'expected ISO 8601'],
  ];

  it('and as it may not: 422 that says what is wrong with it, and no job', async () => {
    const { alone, inBatch } = await submitBothWays(REFUSED.map(([eta]) => bodyOf(`"eta": ${eta}`)));
    for (const items of [alone, inBatch]) {
      expect(items.map(faultOf)).toEqual(
        REFUSED.map(([, message]) => expect.stringContaining(`422 eta: ${message}`) as string),
      );
      expect(items.map(faultOf).filter((fault) => /and \d+ more/.test(fault))).toEqual([]);
    }
    expect(await stage.jobCount()).toBe(0);
  });
});

describe('a countdown', () => {
  const TEN_YEARS = (Date.UTC(year + 10, 0, 1) - Date.UTC(year, 0, 1)) / 1_000 - 86_400;

  it.each([0, 0.001, 1.5, 90.25, 86_400, TEN_YEARS])(
    'of %d s makes the eta, by the clock of the database',
    async (seconds) => {
      const { alone, inBatch } = await submitBothWays([bodyOf(`"countdown": ${seconds}`)]);
      for (const item of [...alone, ...inBatch]) {
        if (!isJob(item)) throw new Error(faultOf(item));
        expect(item.countdown).toBe(seconds);
        expect(Date.parse(item.eta ?? '') - Date.parse(item.created_at)).toBe(seconds * 1_000);
        expect([item.status, item.queued_at]).toEqual(
          seconds === 0 ? ['pending', item.created_at] : ['scheduled', null],
        );
        expect((await stage.get(`/v1/ingest/${item.id}`)).body).toEqual(item);
      }
    },
  );

  it.each([
    ['-1', 'must be 0 or more seconds'],
    ['-0.001', 'must be 0 or more seconds'],
    ['1e12', 'is more than ten years ahead'],
    ['1e300', 'is more than ten years ahead'],
    ['1e400', ''],
    ['"5"', ''],
    ['"NaN"', ''],
    ['true', ''],
    ['[5]', ''],
  ])('of %s is refused', async (text, message) => {
    const { alone, inBatch } = await submitBothWays([bodyOf(`"countdown": ${text}`)]);
    for (const item of [...alone, ...inBatch]) expect(faultOf(item)).toContain(`422 countdown: ${message}`);
    expect(await stage.jobCount()).toBe(0);
  });
});

describe('both, or neither', () => {
  it('the eta wins; null is the same as left out', async () => {
    const bodies = [
      `"eta": ${inDays(2)}, "countdown": 60`,
      '"eta": 0, "countdown": 3600',
      '"eta": null, "countdown": 60',
      `"eta": ${inDays(2)}, "countdown": null`,
      '"eta": null, "countdown": null',
    ];
    const { alone, inBatch } = await submitBothWays(bodies.map(bodyOf));
    for (const items of [alone, inBatch]) {
      const at = new Date(inDays(2) * 1_000).toISOString();
      expect(items.map((item) => (isJob(item) ? [item.status, item.eta, item.countdown] : faultOf(item)))).toEqual([
        ['scheduled', at, 60],
        ['pending', '1970-01-01T00:00:00.000Z', 3_600],
        ['scheduled', expect.stringMatching(/Z$/), 60],
        ['scheduled', at, null],
        ['pending', null, null],
      ]);
    }
  });

  it('one that is wrong is refused, though the other counts', async () => {
    const { alone } = await submitBothWays([bodyOf(`"eta": ${inDays(2)}, "countdown": -5`)]);
    expect(alone.map(faultOf)).toEqual(['422 countdown: must be 0 or more seconds']);
  });
});

it('what is scheduled is listed by its eta, the soonest first, with equal ones on several pages', async () => {
  const days = [5, 2, 9, 2, 2, 7, 2, 2, 1, 2];
  const jobs = days.map((day) => ({ pipeline: 'chain', eta: inDays(day), input: { day } }));
  await stage.post('/v1/ingest/batch', { jobs: [...jobs, { pipeline: 'chain' }, { pipeline: 'chain', eta: 0 }] });
  const seen: JobView[] = [];
  let query = 'status=scheduled&sort=eta&limit=3';
  for (;;) {
    const { body } = await stage.get<JobPage>(`/v1/ingest?${query}`);
    seen.push(...body.items);
    if (body.next_cursor === null) break;
    query = `status=scheduled&sort=eta&limit=3&cursor=${body.next_cursor}`;
  }
  expect(seen.map(({ input }) => input.day)).toEqual([...days].sort((a, b) => a - b));
  expect(new Set(seen.map(({ id }) => id)).size).toBe(days.length);
  const [first] = seen;
  expect(first).toEqual((await stage.get(`/v1/ingest/${first?.id}`)).body);
});
