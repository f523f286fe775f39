import type { PoolClient } from 'pg';

const READ_STEPS = `
SELECT DISTINCT name AS pipeline, step ->> 'name' AS step
FROM pipelines, jsonb_array_elements((definition -> 'steps')::jsonb) AS step WHERE name = ANY ($1::text[])`;

/**
 * The steps that pipelines have, or had when a job of theirs was submitted. What is sent of others is made up: without
 * this anybody who reaches NATS could have figures grow without bound.
 */
export class KnownSteps {
  private readonly steps = new Map<string, Set<string>>();

  /** Those of the items whose step there is. */
  async only<T extends { readonly pipeline: string; readonly name: string }>(
    client: PoolClient,
    items: readonly T[],
  ): Promise<T[]> {
    const unknown = items.filter((item) => !this.has(item));
    if (unknown.length > 0) await this.learn(client, new Set(unknown.map(({ pipeline }) => pipeline)));
    return items.filter((item) => this.has(item));
  }

  private has({ pipeline, name }: { readonly pipeline: string; readonly name: string }): boolean {
    return this.steps.get(pipeline)?.has(name) ?? false;
  }

  private async learn(client: PoolClient, pipelines: ReadonlySet<string>): Promise<void> {
    const { rows } = await client.query<{ pipeline: string; step: string }>(READ_STEPS, [[...pipelines]]);
    for (const { pipeline, step } of rows) {
      const steps = this.steps.get(pipeline) ?? new Set<string>();
      this.steps.set(pipeline, steps.add(step));
    }
  }
}
