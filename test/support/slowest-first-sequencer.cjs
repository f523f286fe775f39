const { relative } = require('node:path');
const Sequencer = require('@jest/test-sequencer').default;

/** Folders of tests by how long a file of theirs takes, the longest first. */
const SLOWEST_FIRST = ['test/faults/', 'test/browser/', 'test/e2e/', 'test/simulation/', 'test/integration/'];

/**
 * Starts what takes long at first, so that the workers end together. jest knows how long a file took only where it has
 * run before: in a new clone it goes by the size of the files, which says nothing of how long a test waits.
 */
module.exports = class SlowestFirstSequencer extends Sequencer {
  async sort(tests) {
    const ranked = (await super.sort(tests)).map((test) => ({ test, rank: rankOf(test) }));
    return ranked.sort((a, b) => a.rank - b.rank).map(({ test }) => test);
  }
};

function rankOf({ path, context }) {
  const place = relative(context.config.rootDir, path);
  const found = SLOWEST_FIRST.findIndex((folder) => place.startsWith(folder));
  return found === -1 ? SLOWEST_FIRST.length : found;
}
