import { undoSetup } from './global-setup';

/** Runs once after all tests: stops what global setup started. */
export default async function tearDown(): Promise<void> {
  for (const undo of undoSetup.splice(0).reverse()) await undo();
}
