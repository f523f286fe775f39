// Writes pipeline_config.schema.json from the schemas by which the file is checked. Needs a build: npm run build.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { format } from 'prettier';

const require = createRequire(import.meta.url);
const { HANDLER_CATALOG } = require('../dist/libs/shared/src/contracts/handler-catalog.js');
const { pipelineConfigJsonSchema } = require('../dist/libs/shared/src/contracts/pipeline-config-json-schema.js');

const target = fileURLToPath(new URL('../pipeline_config.schema.json', import.meta.url));
const text = JSON.stringify(pipelineConfigJsonSchema(HANDLER_CATALOG));
writeFileSync(target, await format(text, { parser: 'json', printWidth: 120 }));
console.log(`wrote ${target}`);
