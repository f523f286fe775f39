/** @type {import('jest').Config} */
module.exports = {
  rootDir: '.',
  testMatch: ['<rootDir>/{apps,libs,test}/**/*.spec.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  moduleNameMapper: { '^#shared/(.*)$': '<rootDir>/libs/shared/src/$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/.sluice/'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  reporters: ['default', '<rootDir>/test/support/failure-log-reporter.cjs'],
  testSequencer: '<rootDir>/test/support/slowest-first-sequencer.cjs',
  testEnvironment: 'node',
  // Files wait more than they compute: with as many workers as cores a core is idle for a quarter of the time.
  maxWorkers: 3,
  testTimeout: 30_000,
};
