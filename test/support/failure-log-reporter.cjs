const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

/** Prints what the services of a failed spec file said. The test stack leaves it in the run's log folder. */
module.exports = class FailureLogReporter {
  onTestFileResult(test, result) {
    if (result.numFailingTests === 0 && !result.testExecError) return;
    const folder = process.env.SLUICE_TEST_LOG_FOLDER;
    const file = folder && join(folder, test.path.replaceAll('/', '_'));
    if (file && existsSync(file)) process.stderr.write(`${readFileSync(file, 'utf8')}\n`);
  }
};
