const ROW = /^row (\d+): (.*)$/;

/**
 * Prints one line for each row of the table of faults as soon as it is over: passed, failed, or not run and why. The
 * last line is the count. A row passes when its fault and every guard taken away ended as they must.
 */
module.exports = class RowReporter {
  rows = new Map();
  current = null;

  onTestCaseResult(_test, result) {
    const [, number, title] = ROW.exec(result.ancestorTitles[0] ?? '') ?? [];
    const name = number ? `row ${number}: ${title}` : result.fullName;
    if (this.current !== null && this.current !== name) this.print(this.current);
    this.current = name;
    const row = this.rows.get(name) ?? { durationMs: 0, failures: [], reasons: new Set(), passed: 0 };
    this.rows.set(name, row);
    row.durationMs += result.duration ?? 0;
    if (result.status === 'passed') row.passed += 1;
    for (const message of result.failureMessages) {
      const [, reason] = /^NotRunHere: (.*)/.exec(message) ?? [];
      if (reason) row.reasons.add(reason);
      else row.failures.push(`${result.title}\n${message}`);
    }
  }

  onRunComplete(_contexts, results) {
    if (this.current !== null) this.print(this.current);
    const outcomes = [...this.rows.values()].map(outcomeOf);
    const count = (outcome) => outcomes.filter((each) => each === outcome).length;
    const broken = results.testResults.filter((file) => file.testExecError && file.numFailingTests === 0);
    for (const file of broken) process.stdout.write(`${file.failureMessage}\n`);
    const [passed, failed, skipped] = [count('passed'), count('failed') + broken.length, count('not run')];
    process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
    this.error = failed > 0 || passed === 0 ? new Error('not all rows passed') : undefined;
  }

  getLastError() {
    return this.error;
  }

  print(name) {
    const row = this.rows.get(name);
    const outcome = outcomeOf(row);
    const why = outcome === 'not run' ? ` (${[...row.reasons].join('; ')})` : '';
    process.stdout.write(`${outcome.padEnd(7)}  ${name}${why}  ${(row.durationMs / 1_000).toFixed(1)} s\n`);
    for (const failure of row.failures) process.stdout.write(`${failure.replace(/^/gm, '    ')}\n`);
  }
};

function outcomeOf({ failures, reasons, passed }) {
  if (failures.length > 0) return 'failed';
  return reasons.size > 0 || passed === 0 ? 'not run' : 'passed';
}
