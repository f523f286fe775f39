// npm run demo: builds when needed, then ingests this repository and shows what was found.
import { build } from './build.mjs';

const startedAt = performance.now();
await build({ ifNeeded: true });
const { demo } = await import('../dist/apps/launcher/src/demo.js');
await demo(performance.now() - startedAt);
