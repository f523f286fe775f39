import { type DynamicModule, Module } from '@nestjs/common';
import type { Database } from '#shared/store/database';
import { GraphReader } from '#shared/store/graph/graph-reader';
import { GraphSearch } from '#shared/store/graph/graph-search';
import { GraphController } from './graph.controller';
import { SearchController } from './search.controller';

/** The calls that read the graph. */
@Module({})
export class GraphModule {
  static register(database: Database): DynamicModule {
    return {
      module: GraphModule,
      controllers: [GraphController, SearchController],
      providers: [
        { provide: GraphReader, useValue: new GraphReader(database) },
        { provide: GraphSearch, useValue: new GraphSearch(database) },
      ],
    };
  }
}
