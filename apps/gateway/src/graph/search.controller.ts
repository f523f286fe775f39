import { Controller, Get, Query } from '@nestjs/common';
import { GraphSearch, type SearchHit } from '#shared/store/graph/graph-search';
import { SchemaPipe } from '../http/schema-pipe';
import { type SearchQuery, searchQuery } from './graph-queries';

/** `/v1/search`: words in all that was ingested. */
@Controller('v1/search')
export class SearchController {
  constructor(private readonly graph: GraphSearch) {}

  @Get()
  async search(@Query(new SchemaPipe(searchQuery)) query: SearchQuery): Promise<{ items: SearchHit[] }> {
    return { items: await this.graph.search(query) };
  }
}
