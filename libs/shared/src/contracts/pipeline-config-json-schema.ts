import { z } from 'zod';
import type { HandlerDefinition } from '#shared/contracts/handler';
import { fullConfig, shortConfig } from '#shared/contracts/pipeline-config';
import type { Json, JsonObject } from '#shared/domain/json';

/**
 * The JSON Schema of pipeline_config.yml for editors, from the schemas by which the file is checked: both forms, and
 * for each handler the options that it takes.
 */
export function pipelineConfigJsonSchema(handlers: ReadonlyMap<string, HandlerDefinition>): JsonObject {
  const full = schemaOf(fullConfig);
  const short = schemaOf(shortConfig);
  const step = objectAt(full, ['properties', 'pipelines', 'additionalProperties', 'properties', 'steps', 'items']);
  step['allOf'] = [...handlers.values()].map(optionsWhenUsed);
  objectAt(step, ['properties'])['uses'] = { ...objectAt(step, ['properties', 'uses']), enum: [...handlers.keys()] };
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'pipeline_config.yml of Sluice',
    oneOf: [
      { title: 'pipelines by name', ...full },
      { title: 'one list of steps, the pipeline "default"', ...short },
    ],
  };
}

/** Steps that use the handler, by `uses` or by their name, take only its options. */
function optionsWhenUsed(handler: HandlerDefinition): JsonObject {
  const byName = { properties: { name: { const: handler.name } }, not: { required: ['uses'] } };
  const byUses = { properties: { uses: { const: handler.name } }, required: ['uses'] };
  return {
    if: { anyOf: [byUses, byName] },
    then: { properties: { options: { description: handler.description, ...schemaOf(handler.options) } } },
  };
}

/** Refs are written out, so that a part can be moved into a whole; only a value of any kind refers to itself. */
function schemaOf(schema: z.ZodType): JsonObject {
  const {
    $schema: _,
    definitions: _any,
    ...rest
  } = z.toJSONSchema(schema, {
    target: 'draft-7',
    io: 'input',
    reused: 'inline',
  });
  return JSON.parse(JSON.stringify(rest, (_key, value: Json) => (isRef(value) ? {} : value))) as JsonObject;
}

const isRef = (value: Json): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && typeof value['$ref'] === 'string';

function objectAt(root: JsonObject, path: readonly string[]): JsonObject {
  return path.reduce<JsonObject>((object, key) => {
    const next = object[key];
    if (typeof next === 'object' && next !== null && !Array.isArray(next)) return next;
    throw new Error(`the schema of the pipeline file has no ${path.join('.')}`);
  }, root);
}
