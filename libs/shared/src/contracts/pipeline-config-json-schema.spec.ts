import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { pipelineConfigJsonSchema } from '#shared/contracts/pipeline-config-json-schema';

const root = join(__dirname, '../../../..');

test('the committed JSON Schema is the one that the checks give (npm run build && node scripts/json-schema.mjs)', () => {
  const committed: unknown = JSON.parse(readFileSync(join(root, 'pipeline_config.schema.json'), 'utf8'));
  expect(committed).toEqual(pipelineConfigJsonSchema(HANDLER_CATALOG));
});

test('it offers the handlers that ship and their options', () => {
  const text = JSON.stringify(pipelineConfigJsonSchema(HANDLER_CATALOG));
  expect(text).toContain('"enum":["noop","http","command","filesystem","documentation"]');
  expect(text).toContain('"ignore_patterns"');
  expect(text).not.toContain('"$ref"');
});
