import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The graph's tables. What must stay true of them:
 * - Ids of repositories and nodes follow from what they name (`graph-ids.ts`), so edges are written without a lookup.
 * - A node or edge belongs to one layer: the step that writes it. Only that layer's runs change or delete it.
 * - A run collects its rows in the staged tables; one transaction then makes the graph equal to them. The staged
 *   tables and `graph_runs` are unlogged *together*: after a crash of Postgres all are empty, so that a run whose rows
 *   are gone is gone as well and cannot be taken for an empty source.
 * - Paths may be longer than an index entry may be, so indexes hold their first 256 characters.
 */
export class Graph1700000000200 implements MigrationInterface {
  readonly name = 'Graph1700000000200';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of [WORDS, REPOSITORIES, LAYERS, NODES, NODE_INDEXES, EDGES, EDGE_INDEXES, RUNS, STAGED]) {
      await runner.query(statement);
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE staged_edges, staged_nodes, graph_runs, edges, nodes, graph_layers, repositories');
    await runner.query('DROP TEXT SEARCH CONFIGURATION graph_words');
    await runner.query('DROP TEXT SEARCH DICTIONARY graph_stem');
  }
}

/** English stems without a stop list: "about" and "who" are names of files. */
const WORDS = `
CREATE TEXT SEARCH DICTIONARY graph_stem (TEMPLATE = pg_catalog.snowball, LANGUAGE = english);
CREATE TEXT SEARCH CONFIGURATION graph_words (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION graph_words ALTER MAPPING REPLACE pg_catalog.english_stem WITH graph_stem`;

const REPOSITORIES = `
CREATE TABLE repositories (
  id           uuid PRIMARY KEY,
  source       text NOT NULL,
  source_type  text NOT NULL CHECK (source_type IN ('local_path','git_url')),
  branch       text,
  commit       text,
  name         text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX repositories_listed ON repositories (created_at, id)`;

const LAYERS = `
CREATE TABLE graph_layers (
  repository_id         uuid NOT NULL,
  layer                 text NOT NULL,
  generation            bigint NOT NULL DEFAULT 1,
  committed_generation  bigint NOT NULL DEFAULT 0,
  committed_at          timestamptz,
  node_counts           jsonb NOT NULL DEFAULT '{}',
  edge_counts           jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (repository_id, layer)
)`;

/**
 * The words of a text expression. The parser takes paths, hosts and tags for one word each; with spaces for these
 * characters it does not. `graph-search.ts` does the same to a query.
 */
const words = (text: string): string => `to_tsvector('graph_words', regexp_replace(${text}, '[-./<]', ' ', 'g'))`;

const NODES = `
CREATE TABLE nodes (
  id             uuid PRIMARY KEY,
  repository_id  uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
  layer          text NOT NULL,
  kind           text NOT NULL,
  path           text COLLATE "C" NOT NULL,
  key            text NOT NULL,
  name           text NOT NULL,
  position       int NOT NULL,
  properties     jsonb NOT NULL,
  text           text NOT NULL,
  fingerprint    uuid NOT NULL,
  search         tsvector NOT NULL GENERATED ALWAYS AS (
    setweight(${words(`name || ' ' || regexp_replace(name, '([a-z0-9])([A-Z])', '\\1 \\2', 'g')`)}, 'A') ||
    setweight(${words(`CASE WHEN key = '' THEN path ELSE '' END`)}, 'C') ||
    setweight(${words('text')}, 'D')) STORED
)`;

const NODE_INDEXES = `
CREATE INDEX nodes_by_kind ON nodes (repository_id, kind, left(path, 256), position, id);
CREATE INDEX nodes_by_path ON nodes (repository_id, left(path, 256), position, id);
CREATE INDEX nodes_by_name ON nodes (repository_id, left(name, 128));
CREATE INDEX nodes_search ON nodes USING gin (search)`;

const EDGES = `
CREATE TABLE edges (
  repository_id  uuid NOT NULL REFERENCES repositories ON DELETE CASCADE,
  layer          text NOT NULL,
  kind           text NOT NULL,
  from_id        uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
  to_id          uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
  PRIMARY KEY (from_id, kind, to_id)
)`;

const EDGE_INDEXES = `
CREATE INDEX edges_listed ON edges (repository_id, kind, from_id, to_id);
CREATE INDEX edges_by_target ON edges (to_id)`;

const RUNS = `
CREATE UNLOGGED TABLE graph_runs (
  id             uuid PRIMARY KEY,
  repository_id  uuid NOT NULL,
  layer          text NOT NULL,
  generation     bigint NOT NULL,
  touched_at     timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50)`;

const STAGED = `
CREATE UNLOGGED TABLE staged_nodes (
  run_id       uuid NOT NULL,
  id           uuid NOT NULL,
  kind         text NOT NULL,
  path         text NOT NULL,
  key          text NOT NULL,
  name         text NOT NULL,
  position     int NOT NULL,
  properties   jsonb NOT NULL,
  text         text NOT NULL,
  fingerprint  uuid NOT NULL,
  PRIMARY KEY (run_id, id)
);
CREATE UNLOGGED TABLE staged_edges (
  run_id       uuid NOT NULL,
  kind         text NOT NULL,
  from_id      uuid NOT NULL,
  to_id        uuid NOT NULL,
  else_to_id   uuid,
  PRIMARY KEY (run_id, from_id, kind, to_id)
);
CREATE INDEX staged_edges_else ON staged_edges (run_id, from_id, kind, else_to_id) WHERE else_to_id IS NOT NULL`;
