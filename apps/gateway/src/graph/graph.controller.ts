import { Controller, Get, Param, Query } from '@nestjs/common';
import { NotFound } from '#shared/domain/errors';
import {
  type EdgeView,
  GraphReader,
  type NodeView,
  type Page,
  type Place,
  type RepositoryView,
} from '#shared/store/graph/graph-reader';
import { decodeCursor, encodeCursor } from '../http/page-cursor';
import { NO_PARAMETERS, SchemaPipe } from '../http/schema-pipe';
import {
  type EdgesQuery,
  edgesQuery,
  type NodesQuery,
  nodesQuery,
  type RepositoriesQuery,
  repositoriesQuery,
} from './graph-queries';

interface PageAnswer<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
  readonly has_more: boolean;
}

/** `/v1/repositories`: what was ingested, and its nodes and edges. */
@Controller('v1/repositories')
export class GraphController {
  constructor(private readonly graph: GraphReader) {}

  @Get()
  repositories(
    @Query(new SchemaPipe(repositoriesQuery)) { limit, cursor }: RepositoriesQuery,
  ): Promise<PageAnswer<RepositoryView>> {
    return answer(['repositories'], cursor, (after) => this.graph.repositories(limit, after));
  }

  @Get(':id')
  async repository(@Param('id') id: string, @Query(NO_PARAMETERS) _query: object): Promise<RepositoryView> {
    const repository = await this.graph.repository(id);
    if (repository === null) throw new NotFound('repository', id);
    return repository;
  }

  @Get(':id/nodes')
  async nodes(
    @Param('id') id: string,
    @Query(new SchemaPipe(nodesQuery)) { limit, cursor, ...filter }: NodesQuery,
  ): Promise<PageAnswer<NodeView>> {
    const repository = await this.repository(id, {});
    return answer(['nodes', repository.id, filter], cursor, (after) =>
      this.graph.nodes(repository.id, filter, limit, after),
    );
  }

  @Get(':id/edges')
  async edges(
    @Param('id') id: string,
    @Query(new SchemaPipe(edgesQuery)) { limit, cursor, ...filter }: EdgesQuery,
  ): Promise<PageAnswer<EdgeView>> {
    const repository = await this.repository(id, {});
    return answer(['edges', repository.id, filter], cursor, (after) =>
      this.graph.edges(repository.id, filter, limit, after),
    );
  }
}

/** @param question what the cursor is good for */
async function answer<Item>(
  question: unknown,
  cursor: string | undefined,
  read: (after: Place | undefined) => Promise<Page<Item>>,
): Promise<PageAnswer<Item>> {
  const { items, next } = await read(cursor === undefined ? undefined : decodeCursor(question, cursor));
  return { items, next_cursor: next && encodeCursor(question, next), has_more: next !== null };
}
