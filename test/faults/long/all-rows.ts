import { ROWS } from '../rows';

/** `npm run test:faults`: the rows that were asked for, as large as was asked for. */
const { SLUICE_TEST_FAULT_SEED = '1', SLUICE_TEST_FAULT_SIZE = '3', SLUICE_TEST_FAULT_ROWS = '' } = process.env;
const wanted = SLUICE_TEST_FAULT_ROWS.split(',').filter(Boolean).map(Number);

for (const [row, describeIt] of ROWS) {
  if (wanted.length > 0 && !wanted.includes(row)) continue;
  // Each row has a chance of its own, so that one alone does what it does among the others.
  describeIt({ size: Number(SLUICE_TEST_FAULT_SIZE), seed: Number(SLUICE_TEST_FAULT_SEED) * 100 + row });
}
