import { open } from 'node:fs/promises';
import { HANDLER_CATALOG } from '#shared/contracts/handler-catalog';
import { fullConfig, shortConfig } from '#shared/contracts/pipeline-config';
import type { Json } from '#shared/domain/json';
import { readYaml, type LocatedYaml, type Path } from '#shared/runtime/pipeline-file/located-yaml';
import { normaliseFull, normaliseShort, type PipelineCatalog } from '#shared/runtime/pipeline-file/normalise';
import { PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';
import { ruleFaults } from '#shared/runtime/pipeline-file/pipeline-rules';
import { describeValue, isObject, schemaFaults, type PathFault } from '#shared/runtime/pipeline-file/schema-faults';

export type { PipelineCatalog };
export { PipelineConfigError };

const MAX_BYTES = 1_048_576;

/**
 * The pipelines of a file, checked and with every default filled in.
 * @param path as it is to be named in errors
 * @throws PipelineConfigError with every fault of the file: its line, key, what was expected and what was found
 */
export async function loadPipelineFile(path: string, handlers = HANDLER_CATALOG): Promise<PipelineCatalog> {
  return readPipelineText(await readText(path), path, handlers);
}

/**
 * The same of a text that is at hand.
 * @throws PipelineConfigError
 */
export function readPipelineText(text: string, file: string, handlers = HANDLER_CATALOG): PipelineCatalog {
  const { document, faults } = readYaml(text);
  const located = faults.map(({ path, ...fault }) => ({ file, key: keyOf(path), ...fault }));
  if (!document) throw new PipelineConfigError(located);
  const { value } = document;
  const short = isObject(value) && 'steps' in value && !('pipelines' in value);
  const schema = short ? shortConfig : fullConfig;
  for (const fault of documentFaults(value, schema, handlers)) located.push(locate(fault, file, document));
  if (located.length > 0) throw new PipelineConfigError(located);
  return short ? normaliseShort(shortConfig.parse(value), handlers) : normaliseFull(fullConfig.parse(value), handlers);
}

function documentFaults(
  value: Json,
  schema: typeof fullConfig | typeof shortConfig,
  handlers: typeof HANDLER_CATALOG,
): PathFault[] {
  if (!isObject(value)) {
    const expected = 'a mapping with "pipelines:", or with "steps:" for a single one';
    return [{ path: [], expected, found: value === null ? 'an empty file' : describeValue(value) }];
  }
  const both = 'steps' in value && 'pipelines' in value;
  const shape = both
    ? [{ path: ['steps'], expected: 'either "pipelines:" or "steps:"', found: 'both' }]
    : schemaFaults(schema, value, []);
  return [...shape, ...ruleFaults(value, handlers)];
}

const locate = (fault: PathFault, file: string, document: LocatedYaml) => ({
  file,
  line: document.lineOf(fault.path),
  key: keyOf(fault.path),
  expected: fault.expected,
  found: fault.found,
});

/** `pipelines.repository.steps[0].timeout` */
const keyOf = (path: Path): string =>
  path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`))
    .join('')
    .replace(/^\./, '');

/** Reads no more than a file may have, so that a device or an endless pipe is no trap. */
async function readText(path: string): Promise<string> {
  const bytes = await readStart(path).catch((error: unknown) => {
    throw new PipelineConfigError([
      {
        file: path,
        line: 1,
        key: '',
        expected: 'a pipeline file (SLUICE_CONFIG or --config says which)',
        found: unreadable(error),
      },
    ]);
  });
  const wrong = (expected: string, found: string) =>
    new PipelineConfigError([{ file: path, line: 1, key: '', expected, found }]);
  if (bytes.length > MAX_BYTES) throw wrong('a file of at most 1 MiB', 'a larger one');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw wrong('UTF-8 text', 'other bytes');
  }
}

async function readStart(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of file.createReadStream({ end: MAX_BYTES })) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    await file.close();
  }
}

function unreadable(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'unknown';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'no such file';
    case 'EISDIR':
      return 'a folder';
    case 'EACCES':
    case 'EPERM':
      return 'one that may not be read';
    default:
      return `a fault: ${code}`;
  }
}
