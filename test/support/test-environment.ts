/**
 * The addresses of the servers of a test run. Global setup starts what these do not name and fills them in; name them
 * to run against servers that are already there.
 */
export const TEST_VARIABLES = {
  /** A superuser's URL; each spec file gets a database of its own there. */
  databaseUrl: 'SLUICE_TEST_DATABASE_URL',
  /** A server with JetStream for specs that need no own one. */
  natsUrl: 'SLUICE_TEST_NATS_URL',
  /** The nats-server program for specs that start one of their own. */
  natsServer: 'SLUICE_TEST_NATS_SERVER',
  /** Where test stacks leave what their services said, one file for each spec file. */
  logFolder: 'SLUICE_TEST_LOG_FOLDER',
} as const;

/**
 * One of those addresses.
 * @throws when the run was started without servers
 */
export function testVariable(name: keyof typeof TEST_VARIABLES): string {
  const value = process.env[TEST_VARIABLES[name]];
  if (!value) {
    throw new Error(
      `${TEST_VARIABLES[name]} is not set: servers are started for specs under test/ only, not for those beside the code`,
    );
  }
  return value;
}
