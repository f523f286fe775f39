import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * What a pid belongs to now. A zombie (ended, but not yet collected by its parent) counts as gone.
 * @returns the command line, or undefined when no such process lives
 */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const [stat, line] = await Promise.all([readProc(pid, 'stat'), readProc(pid, 'cmdline')]);
    if (stat === undefined || line === undefined || isZombie(stat)) return undefined;
    return line.split('\0').join(' ').trim();
  }
  try {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'stat=,command=']);
    return stdout.startsWith('Z') ? undefined : stdout.trim().replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

/**
 * Something that tells this process from a later one with the same pid: its start time as the system writes it.
 * @returns undefined when no such process lives
 */
export async function startMarkOf(pid: number): Promise<string | undefined> {
  if (process.platform === 'linux') {
    const stat = await readProc(pid, 'stat');
    if (stat === undefined || isZombie(stat)) return undefined;
    return fieldsAfterName(stat)[19];
  }
  try {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'lstart=']);
    return stdout.trim();
  } catch {
    return undefined;
  }
}

/** The pid of a process's parent; undefined when no such process lives. */
export async function parentOf(pid: number): Promise<number | undefined> {
  if (process.platform === 'linux') {
    const stat = await readProc(pid, 'stat');
    return stat === undefined || isZombie(stat) ? undefined : Number(fieldsAfterName(stat)[1]);
  }
  try {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'ppid=']);
    return Number(stdout.trim());
  } catch {
    return undefined;
  }
}

async function readProc(pid: number, file: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

function isZombie(stat: string): boolean {
  return fieldsAfterName(stat)[0] === 'Z';
}

/** The name (field 2) may hold spaces and brackets; what follows its last bracket is plain. */
function fieldsAfterName(stat: string): string[] {
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
}
