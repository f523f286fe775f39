import type { DataSource } from 'typeorm';

/** A pool that no step has used yet is made here; of one that is there the size is what the file says now. */
const SAVE_POOLS = `
INSERT INTO pools (name, max) SELECT 'resource:' || name, max FROM unnest($1::text[], $2::int[]) AS u (name, max) ORDER BY 1
ON CONFLICT (name) DO UPDATE SET max = excluded.max WHERE pools.max <> excluded.max`;

/** Sees to it that the pools of the pipeline file are there. @param pools tokens by the pool's name under `resources:` */
export async function savePools(database: DataSource, pools: ReadonlyMap<string, number>): Promise<void> {
  if (pools.size > 0) await database.query(SAVE_POOLS, [[...pools.keys()], [...pools.values()]]);
}
