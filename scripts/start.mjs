// npm start: builds when needed, then brings everything up. See "npm start -- --help".
import { build } from './build.mjs';
import { buildDashboard } from './dashboard.mjs';

const [built, drawn] = [await build({ ifNeeded: true }), await buildDashboard({ ifNeeded: true })];
if (built || drawn) console.log('built');
const { start } = await import('../dist/apps/launcher/src/start.js');
await start(process.argv.slice(2));
