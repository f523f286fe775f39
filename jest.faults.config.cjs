/** @type {import('jest').Config} For `npm run test:faults`: the long forms, one after another. */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/faults/long/all-rows.ts'],
  reporters: ['<rootDir>/test/faults/long/row-reporter.cjs', '<rootDir>/test/support/failure-log-reporter.cjs'],
  maxWorkers: 1,
};
