import type { DataSource } from 'typeorm';
import { InvalidInput, Unavailable } from '#shared/domain/errors';
import { withClient } from '#shared/store/database';

export interface SearchHit {
  readonly repository_id: string;
  readonly kind: string;
  readonly path: string;
  readonly name: string;
  /** Text around the words that were found, which stand between `**`; the path where there is no text. */
  readonly snippet: string;
  /** Higher is better; comparable within one answer only. */
  readonly rank: number;
}

export interface SearchRequest {
  /** Words; `"a phrase"`, `-without`, `this OR that`. */
  readonly q: string;
  readonly repository?: string;
  readonly kind?: string;
  readonly limit: number;
}

/** Of very common words only so many rows are ranked, or one query could read the whole graph. */
const MAX_RANKED = 5_000;

/** Characters of a text in which a snippet is looked for. */
const SNIPPET_CHARACTERS = 20_000;

const HEADLINE =
  'StartSel=**, StopSel=**, MaxFragments=2, MinWords=8, MaxWords=24, ShortWord=0, FragmentDelimiter=" … "';

const SEARCH = `
WITH asked AS (
  SELECT websearch_to_tsquery('graph_words', $1) AS query
), found AS (
  SELECT n.id, n.search FROM nodes n, asked
  WHERE n.search @@ asked.query AND ($2::uuid IS NULL OR n.repository_id = $2) AND ($3::text IS NULL OR n.kind = $3)
  LIMIT ${MAX_RANKED}
), best AS (
  SELECT found.id, ts_rank(found.search, asked.query, 1) AS rank FROM found, asked ORDER BY 2 DESC, 1 LIMIT $4
)
SELECT n.repository_id, n.kind, n.path, n.name, best.rank,
       CASE WHEN n.text = '' THEN n.path ELSE regexp_replace(
         ts_headline('graph_words', left(n.text, ${SNIPPET_CHARACTERS}), asked.query, '${HEADLINE}'), '\\s+', ' ', 'g') END AS snippet
FROM best JOIN nodes n USING (id), asked
ORDER BY best.rank DESC, n.path, n.position, n.id`;

/** Words that a query may have: each costs time for every place where it stands. */
export const MAX_WORDS = 32;
/** A search that takes longer is given up, so that a few of them cannot keep the database busy. */
const SEARCH_LIMIT_MS = 3_000;

/** Full-text search over names, paths and the text of documents. */
export class GraphSearch {
  constructor(private readonly database: DataSource) {}

  /**
   * The best hits, best first. A query without a word finds nothing.
   * @throws InvalidInput for too many words, Unavailable when it takes too long
   */
  async search(request: SearchRequest): Promise<SearchHit[]> {
    const { repository = null, kind = null, limit } = request;
    const values = [boundedQuery(searchableQuery(request.q)), repository, kind, limit];
    return withClient(this.database, async (client) => {
      await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${SEARCH_LIMIT_MS}`);
      const { rows } = await client.query<SearchHit>(SEARCH, values).catch((error: unknown) => {
        throw isTimeout(error) ? new Unavailable('The search took too long: use fewer or rarer words.', 5) : error;
      });
      await client.query('COMMIT');
      return rows;
    });
  }
}

/** The query with each word once. @throws InvalidInput for more than `MAX_WORDS` different ones */
function boundedQuery(q: string): string {
  // In quotes the order of words matters, so those are left as they are; what they hold counts all the same.
  const words = q.split(/\s+/).filter((word) => word !== '');
  if (words.length <= MAX_WORDS) return q;
  const distinct = [...new Set(words)];
  if (distinct.length > MAX_WORDS || q.includes('"')) {
    throw new InvalidInput([{ path: 'q', message: `has more than ${MAX_WORDS} words` }]);
  }
  return distinct.join(' ');
}

/** SQLSTATE 57014, query_canceled: here only by its time limit. */
const isTimeout = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === '57014';

/**
 * The query with spaces for the characters that the index has spaces for (see the migration), so that
 * `src/graph-store.ts` finds the words of that path. A `-` before a word keeps its meaning.
 */
export function searchableQuery(q: string): string {
  return q.replace(/[./<]/g, ' ').replace(/(?<=[^\s"])-/g, ' ');
}
