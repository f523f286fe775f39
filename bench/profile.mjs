// Where the time goes: the functions of a CPU profile by their own time.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

function ownTimes(file) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(file, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const times = new Map();
  samples.forEach((id, i) => {
    const { functionName, url, lineNumber } = byId.get(id);
    const place = url.replace(/^.*\/(dist|node_modules)\//, '');
    const key = place ? `${functionName || '(anonymous)'}  ${place}:${lineNumber + 1}` : functionName;
    times.set(key, (times.get(key) ?? 0) + timeDeltas[i]);
  });
  return times;
}

/** Which service a profile is of, by the files in it. */
function serviceOf(times) {
  const text = [...times.keys()].join('\n');
  return /apps\/(gateway|step-worker|scheduler|metrics|launcher)\//.exec(text)?.[1] ?? 'other';
}

/** Prints the `most` dearest functions of each service whose profile lies in the folder. */
export function printProfiles(folder, most = 15) {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.cpuprofile'))) {
    const times = ownTimes(join(folder, name));
    const service = serviceOf(times);
    if (service !== 'gateway' && service !== 'step-worker') continue;
    times.delete('(idle)');
    const total = [...times.values()].reduce((sum, time) => sum + time, 0);
    console.log(`\n${service}: ${(total / 1e6).toFixed(1)} s of CPU, by function (own time)`);
    for (const [key, time] of [...times].sort((a, b) => b[1] - a[1]).slice(0, most)) {
      console.log(`  ${((time / total) * 100).toFixed(1).padStart(5)} %  ${key}`);
    }
  }
}
