/** @type {import('jest').Config} For `npm run test:faults`: the long forms, one after another. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/faults/long/all-rows.ts'],
  transform: { '^.+\\.ts$': '<rootDir>/test/faults/long/typescript-transform.cjs' },
  // jest's own folder is named by the number of the user, which is root's in a namespace of one's own.
  cacheDirectory: '<rootDir>/.sluice/jest-faults',
  reporters: ['<rootDir>/test/faults/long/row-reporter.cjs', '<rootDir>/test/support/failure-log-reporter.cjs'],
  maxWorkers: 1,
};
