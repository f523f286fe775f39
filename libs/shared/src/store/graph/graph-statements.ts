/**
 * The statements of a graph run. Each goes by a primary key or by an index that begins with `repository_id`. The planner
 * knows nothing of rows that were just staged and would, thinking them few, compare all with all: scalar subqueries,
 * which it cannot turn into joins, keep it to one look-up by key for each row.
 */

/** $1 run, $2 repository, $3 layer → `generation`, one higher for every run of that layer. */
export const BEGIN_RUN = `
WITH next AS (
  INSERT INTO graph_layers AS l (repository_id, layer) VALUES ($2, $3)
  ON CONFLICT (repository_id, layer) DO UPDATE SET generation = l.generation + 1
  RETURNING generation
)
INSERT INTO graph_runs (id, repository_id, layer, generation) SELECT $1, $2, $3, generation FROM next
RETURNING generation`;

/** $1 interval: forgets runs that have not been heard of for so long, with what they had staged. */
export const PURGE_RUNS = `
WITH dead AS (
  DELETE FROM graph_runs WHERE id IN
    (SELECT id FROM graph_runs WHERE touched_at < now() - $1::interval FOR UPDATE SKIP LOCKED)
  RETURNING id
), no_nodes AS (
  DELETE FROM staged_nodes WHERE run_id IN (SELECT id FROM dead)
)
DELETE FROM staged_edges WHERE run_id IN (SELECT id FROM dead)`;

/** $1 run, $2… columns → one row, or none when the run is gone. Of two nodes with one id the first is kept. */
export const STAGE_NODES = `
WITH run AS (
  UPDATE graph_runs SET touched_at = now() WHERE id = $1 RETURNING id
), staged AS (
  INSERT INTO staged_nodes (run_id, id, kind, path, key, name, position, properties, text, fingerprint)
  SELECT run.id, u.* FROM run CROSS JOIN unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[],
                                                $8::jsonb[], $9::text[], $10::uuid[]) u
  ON CONFLICT (run_id, id) DO NOTHING
)
SELECT id FROM run`;

/** $1 run, $2… columns → one row, or none when the run is gone. */
export const STAGE_EDGES = `
WITH run AS (
  UPDATE graph_runs SET touched_at = now() WHERE id = $1 RETURNING id
), staged AS (
  INSERT INTO staged_edges (run_id, kind, from_id, to_id, else_to_id)
  SELECT run.id, u.* FROM run CROSS JOIN unnest($2::text[], $3::uuid[], $4::uuid[], $5::uuid[]) u
  ON CONFLICT (run_id, from_id, kind, to_id) DO NOTHING
)
SELECT id FROM run`;

/** $1… repository. Its row's lock makes commits of one repository wait for each other. */
export const LOCK_REPOSITORY = `
INSERT INTO repositories AS r (id, source, source_type, branch, name, commit) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET id = r.id`;

/** $1 run → whether a later run of the layer was committed before it; no row when the run is gone. */
export const CLAIM_RUN = `
SELECT l.committed_generation > r.generation AS superseded
FROM graph_runs r JOIN graph_layers l USING (repository_id, layer)
WHERE r.id = $1 FOR UPDATE OF r`;

/** $1 run, $2 repository, $3 layer. Their edges go with them, whoever wrote those. */
export const DELETE_GONE_NODES = `
WITH gone AS (
  DELETE FROM nodes n
  WHERE n.repository_id = $2 AND n.layer = $3
    AND (SELECT s.id FROM staged_nodes s WHERE s.run_id = $1 AND s.id = n.id) IS NULL
  RETURNING 1
)
SELECT count(*)::int AS deleted FROM gone`;

/** $1 run, $2 repository, $3 layer. Rows that are as they were are not even locked. */
export const MERGE_NODES = `
WITH merged AS (
  INSERT INTO nodes AS n (id, repository_id, layer, kind, path, key, name, position, properties, text, fingerprint)
  SELECT s.id, $2, $3, s.kind, s.path, s.key, s.name, s.position, s.properties, s.text, s.fingerprint
  FROM staged_nodes s LEFT JOIN nodes o ON o.id = s.id
  WHERE s.run_id = $1 AND o.fingerprint IS DISTINCT FROM s.fingerprint
  ON CONFLICT (id) DO UPDATE SET layer = EXCLUDED.layer, name = EXCLUDED.name, position = EXCLUDED.position,
    properties = EXCLUDED.properties, text = EXCLUDED.text, fingerprint = EXCLUDED.fingerprint
  RETURNING xmax = 0 AS inserted
)
SELECT count(*) FILTER (WHERE inserted)::int AS inserted, count(*) FILTER (WHERE NOT inserted)::int AS updated,
       (SELECT count(*)::int FROM staged_nodes WHERE run_id = $1) AS staged
FROM merged`;

/** Where the staged edge `s` leads, null when nothing is there. */
const END = `coalesce((SELECT t.id FROM nodes t WHERE t.id = s.to_id), (SELECT e.id FROM nodes e WHERE e.id = s.else_to_id))`;

/** $1 run, $2 repository, $3 layer. An edge stays when it was staged so, or was staged for an end that is not there. */
export const DELETE_GONE_EDGES = `
DELETE FROM edges e
WHERE e.repository_id = $2 AND e.layer = $3
  AND (SELECT s.to_id FROM staged_edges s
       WHERE s.run_id = $1 AND s.from_id = e.from_id AND s.kind = e.kind AND s.to_id = e.to_id) IS NULL
  AND (SELECT s.to_id FROM staged_edges s
       WHERE s.run_id = $1 AND s.from_id = e.from_id AND s.kind = e.kind AND s.else_to_id = e.to_id
         AND (SELECT t.id FROM nodes t WHERE t.id = s.to_id) IS NULL
       LIMIT 1) IS NULL`;

/** $1 run, $2 repository, $3 layer. */
export const MERGE_EDGES = `
WITH ends AS MATERIALIZED (
  SELECT s.kind, s.from_id, ${END} AS to_id
  FROM staged_edges s
  WHERE s.run_id = $1 AND (SELECT f.id FROM nodes f WHERE f.id = s.from_id) IS NOT NULL
), added AS (
  INSERT INTO edges (repository_id, layer, kind, from_id, to_id)
  SELECT DISTINCT $2::uuid, $3, n.kind, n.from_id, n.to_id FROM ends n
  WHERE n.to_id IS NOT NULL
    AND (SELECT e.to_id FROM edges e
         WHERE e.from_id = n.from_id AND e.kind = n.kind AND e.to_id = n.to_id) IS NULL
  ON CONFLICT (from_id, kind, to_id) DO NOTHING
  RETURNING 1
)
SELECT count(*)::int AS inserted FROM added`;

/** $1 run → edges that lead nowhere, by the kind of node that they come from. */
export const COUNT_UNRESOLVED = `
SELECT lost.kind, count(*)::int AS count
FROM (SELECT (SELECT f.kind FROM nodes f WHERE f.id = s.from_id) AS kind
      FROM staged_edges s WHERE s.run_id = $1 AND ${END} IS NULL OFFSET 0) lost
WHERE lost.kind IS NOT NULL
GROUP BY lost.kind`;

/** $1 repository, $2 layer. */
export const COUNT_EDGES = `
SELECT count(*)::int AS count FROM edges WHERE repository_id = $1 AND layer = $2`;

/** $1 repository, $2 layer, $3 generation → the layer's `nodes` and `edges` by kind, which it keeps. */
export const SEAL_LAYER = `
UPDATE graph_layers SET committed_generation = $3, committed_at = now(),
  node_counts = coalesce((SELECT jsonb_object_agg(kind, count) FROM
    (SELECT kind, count(*) FROM nodes WHERE repository_id = $1 AND layer = $2 GROUP BY kind) c), '{}'),
  edge_counts = coalesce((SELECT jsonb_object_agg(kind, count) FROM
    (SELECT kind, count(*) FROM edges WHERE repository_id = $1 AND layer = $2 GROUP BY kind) c), '{}')
WHERE repository_id = $1 AND layer = $2`;

/** $1 repository, $2 name, $3 commit. */
export const TOUCH_REPOSITORY = 'UPDATE repositories SET updated_at = now(), name = $2, commit = $3 WHERE id = $1';

/** $1 run. */
export const END_RUN = `
WITH no_nodes AS (
  DELETE FROM staged_nodes WHERE run_id = $1
), no_edges AS (
  DELETE FROM staged_edges WHERE run_id = $1
)
DELETE FROM graph_runs WHERE id = $1`;
