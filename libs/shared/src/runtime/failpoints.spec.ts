import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { armFailpoints, failpoint, GUARDS, guardHolds, parseFailpoints, POINTS } from '#shared/runtime/failpoints';

const said: object[] = [];
const signals: string[] = [];
const arm = (text: string): void =>
  armFailpoints(parseFailpoints(text), { warn: (details) => void said.push(details) }, (name) => signals.push(name));

afterEach(() => {
  armFailpoints(null, { warn: () => undefined });
  said.length = signals.length = 0;
});

it('does nothing unless it is armed', () => {
  arm('');
  for (const point of POINTS) failpoint(point);
  expect(GUARDS.filter((guard) => !guardHolds(guard))).toEqual([]);
  expect([said, signals]).toEqual([[], []]);
});

it('kills at the hit that it is told, and no other, after saying so', () => {
  arm('worker.settled=kill@3');
  for (let hit = 1; hit <= 4; hit += 1) failpoint('worker.settled', 'job-1', 2, 1);
  failpoint('worker.claimed');
  expect(signals).toEqual(['SIGKILL']);
  expect(said.slice(1)).toEqual([
    { failpoint: 'worker.settled', action: 'kill', hit: 3, job: 'job-1', step: 2, epoch: 1 },
  ]);
});

it('stops at the first hit, and tells every one', () => {
  arm('worker.claimed=stop, worker.begins=tell');
  for (let hit = 1; hit <= 2; hit += 1) {
    failpoint('worker.begins');
    failpoint('worker.claimed');
  }
  expect(signals).toEqual(['SIGSTOP']);
  expect(said.filter((details) => 'failpoint' in details && details.failpoint === 'worker.begins')).toHaveLength(2);
});

it('takes away the guard that it is told, says once that it was missed, and leaves the others', () => {
  arm('worker.lease_at_begin=off');
  expect([guardHolds('worker.lease_at_begin'), guardHolds('worker.lease_at_begin')]).toEqual([false, false]);
  expect(guardHolds('worker.hands_back')).toBe(true);
  expect(said.slice(1)).toEqual([{ failpoint: 'worker.lease_at_begin', action: 'off' }]);
});

it.each([
  ['clock=+3600s', 3_600_000],
  ['worker.begins=tell,clock=-90s', -90_000],
])('has the clock go wrong by %s, says so, and sets it right when it is disarmed', (text, byMs) => {
  const rightMs = Date.now();
  arm(text);
  const shownMs = Date.now();
  expect(said).toEqual([expect.objectContaining({ clock_shift_ms: byMs })]);
  armFailpoints(null, { warn: () => undefined });
  expect(Math.abs(shownMs - rightMs - byMs)).toBeLessThan(30_000);
  expect(Math.abs(Date.now() - rightMs)).toBeLessThan(30_000);
});

it.each([
  'worker.settled',
  'clock=3600s',
  'clock=+3600',
  'clock=+0s',
  'clock=+1h',
  'clock=off',
  'worker.settled=off',
  'worker.settled=kill@0',
  'worker.settled=kill@1@2',
  'worker.nowhere=kill',
  'worker.hands_back=kill',
  'worker.nothing=off',
  'worker.settled=kill;worker.hands_back=off',
])('refuses %s', (text) => {
  expect(() => parseFailpoints(text)).toThrow(RangeError);
});

it('has every point and guard somewhere in the code', () => {
  const root = join(__dirname, '../../../..');
  const files = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !path.endsWith('/failpoints.ts'))
      .map((path) => readFileSync(join(root, folder, path), 'utf8')),
  );
  const text = files.join('\n');
  const unused = [
    ...POINTS.filter((point) => !text.includes(`failpoint('${point}'`)),
    ...GUARDS.filter((guard) => !text.includes(`guardHolds('${guard}')`)),
  ];
  expect(unused).toEqual([]);
});
