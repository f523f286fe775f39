/** Classes of SQLSTATE after which the same statement may well succeed: connection, resources, shutdown, lock conflicts. */
const PASSING_CLASSES = new Set(['08', '53', '57', '58']);
const PASSING_STATES = new Set(['40001', '40P01', '55P03', '25P02', '25P03']);
/** No SQLSTATE begins with E, but names of system errors do that are as long: EPIPE. */
const SQL_STATE = /^[0-9A-DF-Z][0-9A-Z]{4}$/;

/**
 * Whether the database was away, full, stopping or at odds with another transaction: try again. After such an error it
 * is in doubt whether a commit happened. False for errors that the statement or its data cause.
 */
export function isPassingDatabaseError(error: unknown): boolean {
  const code = codeOf(error);
  if (code === null) return error instanceof Error && CONNECTION_WORDS.test(error.message);
  if (!SQL_STATE.test(code)) return true;
  return PASSING_CLASSES.has(code.slice(0, 2)) || PASSING_STATES.has(code);
}

/** `pg` has no codes for these. */
const CONNECTION_WORDS =
  /connection (?:terminated|ended|error)|timeout|client (?:was closed|has encountered)|not queryable|socket/i;

/** An SQLSTATE, or Node's name of a system error such as ECONNREFUSED. */
function codeOf(error: unknown): string | null {
  const source = error instanceof Error && 'driverError' in error ? error.driverError : error;
  if (typeof source !== 'object' || source === null || !('code' in source)) return null;
  return typeof source.code === 'string' ? source.code : null;
}
