import pico from 'picocolors';
import { z } from 'zod';
import { attemptView, type JobView } from '#shared/contracts/job';
import type { DemoClient } from './demo-client';

const QUERY = 'retry back-off';
const SHOWN_KINDS = ['file', 'directory', 'document', 'heading', 'link'];

const counts = z.record(z.string(), z.number());
const repositoryAnswer = z.object({ id: z.string(), name: z.string(), nodes: counts, edges: counts });
const attemptsAnswer = z.object({ items: z.array(attemptView) });
const searchAnswer = z.object({
  items: z.array(z.object({ kind: z.string(), path: z.string(), name: z.string(), snippet: z.string() })),
});

/** Prints what a job found, from the graph and from the attempts of its steps. */
export async function printFindings(client: DemoClient, job: JobView, print: (line: string) => void): Promise<void> {
  const { nodes, edges } = await client.get(`/v1/repositories/${repositoryIdOf(job)}`, repositoryAnswer);
  for (const kind of SHOWN_KINDS) print(row(plural(kind), nodes[kind] ?? 0));
  print(row('nodes', sum(nodes)));
  print(row('edges', sum(edges)));
  const { items: attempts } = await client.get(`/v1/ingest/${job.id}/attempts`, attemptsAnswer);
  for (const { name, duration_ms: durationMs } of job.steps) {
    const tries = attempts.filter(({ step }) => step === name).length;
    const seconds = ((durationMs ?? 0) / 1000).toFixed(2);
    print(`    step ${name.padEnd(16)} ${seconds} s  ${tries} attempt${tries === 1 ? '' : 's'}`);
  }
}

/** Prints the best answers to one query over what was found. */
export async function printSearch(client: DemoClient, job: JobView, print: (line: string) => void): Promise<void> {
  const query = new URLSearchParams({ q: QUERY, repository: repositoryIdOf(job), limit: '5' });
  const { items } = await client.get(`/v1/search?${query.toString()}`, searchAnswer);
  print(`  search for ${pico.bold(JSON.stringify(QUERY))}:${items.length === 0 ? ' nothing' : ''}`);
  for (const { kind, path, name, snippet } of items) {
    print(`    ${pico.bold(name)} ${pico.dim(`(${kind} in ${path})`)}`);
    print(`      ${snippet.replaceAll(/\s+/g, ' ').slice(0, 110)}`);
  }
}

/** Every ingesting step says in its output which repository it wrote to. */
function repositoryIdOf(job: JobView): string {
  const output = z.object({ repository_id: z.string() });
  for (const step of job.steps) {
    const { data } = output.safeParse(step.output);
    if (data) return data.repository_id;
  }
  throw new Error(`no step of the job ${job.id} names the repository that it wrote to`);
}

function sum(byKind: Readonly<Record<string, number>>): number {
  return Object.values(byKind).reduce((total, count) => total + count, 0);
}

function plural(kind: string): string {
  return kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`;
}

function row(name: string, count: number): string {
  return `    ${name.padEnd(21)} ${String(count).padStart(6)}`;
}
