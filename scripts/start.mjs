// npm start: builds when needed, then brings everything up. See "npm start -- --help".
import { build } from './build.mjs';

if (await build({ ifNeeded: true })) console.log('built');
const { start } = await import('../dist/apps/launcher/src/start.js');
await start(process.argv.slice(2));
