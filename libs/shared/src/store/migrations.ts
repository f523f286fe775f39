import { Core1700000000100 } from '#shared/store/migrations/1700000000100-core';
import { Graph1700000000200 } from '#shared/store/migrations/1700000000200-graph';
import { Recovery1700000000300 } from '#shared/store/migrations/1700000000300-recovery';
import { Holds1700000000400 } from '#shared/store/migrations/1700000000400-holds';
import { Schedules1700000000500 } from '#shared/store/migrations/1700000000500-schedules';
import { Usage1700000000600 } from '#shared/store/migrations/1700000000600-usage';

/** All migrations, in order. */
export const MIGRATIONS = [
  Core1700000000100,
  Graph1700000000200,
  Recovery1700000000300,
  Holds1700000000400,
  Schedules1700000000500,
  Usage1700000000600,
];
