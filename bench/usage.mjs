// CPU time and memory of processes, as the operating system counts them (Linux: proc(5)).
import { readdirSync, readFileSync } from 'node:fs';

/** proc(5): clock ticks; 100 a second on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const stat = (pid) => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return {
      parent: Number(fields[1]),
      ticks: Number(fields[11]) + Number(fields[12]),
      dead: Number(fields[13]) + Number(fields[14]),
    };
  } catch {
    return null;
  }
};

function familyOf(pid) {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), stat(name)?.parent]);
  const family = [pid];
  for (let i = 0; i < family.length; i += 1) {
    for (const [child, parent] of parents) if (parent === family[i]) family.push(child);
  }
  return family;
}

/** Seconds of CPU that the process and its children have used, those that have ended included. */
export function cpuSeconds(pid) {
  const own = stat(pid);
  const children = familyOf(pid).slice(1).map(stat);
  const ticks = (own?.ticks ?? 0) + (own?.dead ?? 0) + children.reduce((sum, child) => sum + (child?.ticks ?? 0), 0);
  return ticks / TICKS_PER_SECOND;
}

/** The memory that the process holds now, in MB. */
export function memoryMb(pid) {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) / 1024;
}

/** The most memory that the process has held at once, in MB; of a family, of its largest. */
export function peakMemoryMb(pid) {
  return Math.max(
    0,
    ...familyOf(pid).map((member) => {
      try {
        const text = readFileSync(`/proc/${member}/status`, 'utf8');
        return Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1] ?? 0) / 1024;
      } catch {
        return 0;
      }
    }),
  );
}
