import { execFile } from 'node:child_process';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { promisify } from 'node:util';

/** A process as the system knows it just now. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The session that it belongs to; 0 where the system does not tell. */
  readonly session: number;
  /** Ended, and not yet collected by its parent. */
  readonly isZombie: boolean;
  /** CPU time of its own and of those of its children that it has collected. */
  readonly cpuMs: number;
  readonly residentBytes: number;
}

/** The clock of the figures in /proc: 100 a second on every Linux that Node runs on. */
const TICK_MS = 10;
const PAGE_BYTES = pageBytes();

/** The line of /proc/PID/stat; undefined when it is none. */
export function parseStat(text: string): ProcessRow | undefined {
  // The name, in brackets, may hold spaces and brackets itself; what follows its last bracket is plain.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  const number = (index: number): number => Number(fields[index]);
  const pid = Number.parseInt(text, 10);
  if (!Number.isInteger(pid) || fields.length < 22) return undefined;
  return {
    pid,
    parent: number(1),
    group: number(2),
    session: number(3),
    isZombie: fields[0] === 'Z' || fields[0] === 'X',
    cpuMs: (number(11) + number(12) + number(13) + number(14)) * TICK_MS,
    residentBytes: number(21) * PAGE_BYTES,
  };
}

/** CPU time of the children of this process that have ended, and of theirs. Linux only. */
export function collectedCpuMs(): number {
  const text = readProc('self/stat') ?? '';
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13] ?? 0) + Number(fields[14] ?? 0)) * TICK_MS;
}

/** Every process of the machine, as far as this one may see them. Linux only. */
export function readProcTable(): ProcessRow[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => parseStat(readProc(`${pid}/stat`) ?? '') ?? []);
}

/** One process; undefined when it is gone. Linux only. */
export const readProcess = (pid: number): ProcessRow | undefined => parseStat(readProc(`${pid}/stat`) ?? '');

/** The most resident memory that the process has ever had. Linux only. */
export function peakResidentBytes(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '')?.[1];
  return Number(kibibytes ?? 0) * 1_024;
}

/** Its command line; empty when it is gone. Linux only. */
export const commandLineText = (pid: number): string => (readProc(`${pid}/cmdline`) ?? '').replaceAll('\0', ' ');

export const existsInProc = (pid: number): boolean => readProc(`${pid}/stat`) !== undefined;

/** What is read of a file is at its beginning. */
const buffer = Buffer.alloc(4_096);

/** In as few calls of the system as can be: a look at a machine of hundreds of processes reads as many files. */
function readProc(path: string): string | undefined {
  let file: number | undefined;
  try {
    file = openSync(`/proc/${path}`, 'r');
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0));
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** From the memory map of this process, so that nothing has to be started to ask: 4 KiB but on some ARM machines. */
function pageBytes(): number {
  const kibibytes = /^KernelPageSize:\s+(\d+) kB$/m.exec(readProc('self/smaps') ?? '')?.[1];
  return Number(kibibytes ?? 4) * 1_024;
}

const runFile = promisify(execFile);

/** Every process of the machine by the program `ps`, for systems without /proc. */
export async function readPsTable(): Promise<ProcessRow[]> {
  const { stdout } = await runFile('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,rss=,time=']);
  return parsePs(stdout);
}

export function parsePs(text: string): ProcessRow[] {
  return text.split('\n').flatMap((line) => {
    const [pid, parent, group, state, rss, time] = line.trim().split(/\s+/);
    if (pid === undefined || time === undefined || !/^\d+$/.test(pid)) return [];
    return [
      {
        pid: Number(pid),
        parent: Number(parent),
        group: Number(group),
        session: 0,
        isZombie: state?.startsWith('Z') === true,
        cpuMs: clockMs(time),
        residentBytes: Number(rss) * 1_024,
      },
    ];
  });
}

/** `[[days-]hours:]minutes:seconds[.hundredths]` */
function clockMs(text: string): number {
  const [clock = '', days = '0'] = text.split('-').reverse();
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1_000);
}
