import { parsePs, parseStat } from './process-table';

describe('a line of /proc/PID/stat', () => {
  it('is read whatever the name of the program', () => {
    const after = 'S 10 20 30 0 -1 4194560 1 2 3 4 150 50 7 3 20 0 1 0 99 1000000 512 18446744073709551615';
    for (const name of ['sh', 'a b', ') R 1 (', 'x) S 1 2 3']) {
      expect(parseStat(`4242 (${name}) ${after}\n`)).toEqual({
        ...{ pid: 4242, parent: 10, group: 20, session: 30, isZombie: false },
        ...{ cpuMs: 2_100, residentBytes: 512 * 4_096 },
      });
    }
    expect(parseStat(`1 (x) ${after.replace('S', 'Z')}`)?.isZombie).toBe(true);
  });

  it('that is none gives nothing', () => {
    for (const text of ['', 'x', '12 (sh) S 1']) expect(parseStat(text)).toBeUndefined();
  });
});

describe('what ps prints', () => {
  it('is read in all its forms of time', () => {
    const text =
      '    1     0     1 Ss    8120 00:00:03\n  42 1 42 Z+ 0 1:02:03\n 7 1 7 R 4 2-00:00:01\n 9 1 9 S 4 0:01.25\n\n';
    expect(parsePs(text).map(({ pid, cpuMs, isZombie }) => [pid, cpuMs, isZombie])).toEqual([
      [1, 3_000, false],
      [42, 3_723_000, true],
      [7, 172_801_000, false],
      [9, 1_250, false],
    ]);
    expect(parsePs(text)[0]).toEqual({
      ...{ pid: 1, parent: 0, group: 1, session: 0, isZombie: false, cpuMs: 3_000, residentBytes: 8_120 * 1_024 },
    });
  });
});
