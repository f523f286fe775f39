import { parseIsoTime } from '#shared/contracts/start-time';
import { InvalidInput } from '#shared/domain/errors';

/** Where a page ended: what the list is ordered by, of its last item. To be handed back as it is. */
export type ListPlace = readonly (string | number)[];

export interface PageStatement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Bytes of inputs and outputs after which a page ends early: jobs may carry a megabyte each. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** How many bytes a JSON column has in an answer, about. What is stored is no measure: a large one is compressed. */
export const jsonBytes = (column: string): string =>
  `CASE WHEN pg_column_size(${column}) < 1000 THEN pg_column_size(${column}) ELSE octet_length(${column}::text) END`;

/** The parameters of a statement, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];

  add(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }
}

/** A time as a place has it: exact, as text. */
export const placeTime = (expression: string): string =>
  `to_char(${expression} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const PLACE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const isPlaceTime = (value: unknown): value is string =>
  typeof value === 'string' && PLACE_TIME.test(value) && parseIsoTime(value).ok;

/** What Postgres takes for a uuid, in its usual form. */
export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value);

export const noSuchPlace = (): InvalidInput =>
  new InvalidInput([{ path: 'cursor', message: 'is none that this list gave' }]);
