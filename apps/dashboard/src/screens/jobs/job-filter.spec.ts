import type { JobView } from '#shared/contracts/job';
import {
  filterOf,
  hasStatusOf,
  isFiltered,
  longerTrail,
  newestOf,
  questionOf,
  shortId,
  tookMs,
  trailOf,
} from './job-filter';

const job = (fields: Partial<JobView>): JobView => ({ version: 1, status: 'running', steps: [], ...fields }) as JobView;
const retrying = [{ status: 'retrying' }] as JobView['steps'];

describe('the filter in the address', () => {
  test('is asked for as it is, several statuses and bad values too', () => {
    const given = new URLSearchParams('status=failed&status=bogus&q=a%26b&tag=&focus=search&sort=eta&cursor=c');
    expect(filterOf(given)).toEqual({ status: ['failed', 'bogus'], q: ['a&b'] });
    expect(questionOf(given)).toEqual({ status: ['failed', 'bogus'], q: ['a&b'], sort: ['eta'], cursor: ['c'] });
  });

  test('order and page are no filter', () => {
    expect(isFiltered(filterOf(new URLSearchParams('sort=eta&cursor=c&status=')))).toBe(false);
    expect(isFiltered(filterOf(new URLSearchParams('pipeline=a')))).toBe(true);
  });
});

describe('a job in a list of statuses', () => {
  test.each([
    [job({}), [], true],
    [job({}), ['running', 'failed'], true],
    [job({ status: 'completed' }), ['running'], false],
    [job({}), ['retrying'], false],
    [job({ steps: retrying }), ['retrying'], true],
    [job({ steps: retrying }), ['completed'], false],
    [job({ steps: retrying, status: 'cancelled' }), ['retrying'], false],
  ])('%#', (each, statuses, expected) => {
    expect(hasStatusOf(each, statuses)).toBe(expected);
  });
});

test('the newest that is known of a job', () => {
  const read = job({ version: 3 });
  expect(newestOf(read, undefined)).toBe(read);
  expect(newestOf(read, job({ version: 2 }))).toBe(read);
  const live = job({ version: 4 });
  expect(newestOf(read, live)).toBe(live);
});

test('how long a job took is known from its ends', () => {
  const ends = { started_at: '2030-01-01T00:00:00.000Z', completed_at: '2030-01-01T00:00:02.500Z' };
  expect(tookMs(job({ ...ends, duration_ms: null }))).toBe(2_500);
  expect(tookMs(job({ ...ends, completed_at: null, duration_ms: 7 }))).toBe(7);
});

test('a short id', () => {
  expect(shortId('01999c30-7e2a-7bbb-8ccc-0123456789ab')).toBe('…456789ab');
});

test('the trail of pages is bounded, and anything else is none', () => {
  let trail: readonly string[] = [];
  for (let page = 0; page < 80; page += 1) trail = longerTrail(trail, String(page));
  expect(trail).toHaveLength(50);
  expect(trail.at(-1)).toBe('79');
  expect(trailOf({ trail })).toEqual(trail);
  for (const state of [null, 7, {}, { trail: [1] }, { trail: 'a' }]) expect(trailOf(state)).toEqual([]);
});
