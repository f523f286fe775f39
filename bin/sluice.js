#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const main = join(__dirname, '../dist/apps/cli/src/main.js');
if (existsSync(main)) {
  require(main);
} else {
  console.error('sluice is not built yet. In its folder run: npm run build');
  process.exitCode = 1;
}
