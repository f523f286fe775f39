import ignore from 'ignore';
import type { StepContext, StepHandler } from '#shared/contracts/handler';
import { documentationDefinition, type DocumentationOptions } from '#shared/contracts/handlers/documentation';
import type { JsonObject } from '#shared/domain/json';
import { PermanentError } from '#shared/domain/step-errors';
import type { GraphRun } from '#shared/store/graph/graph-run';
import type { GraphStore, RecordedFile } from '#shared/store/graph/graph-store';
import { changeCounts } from '../source/change-counts';
import { inOrder } from '../source/in-order';
import { openLocalSource, type OpenedSource } from '../source/local-source';
import { Skipped, type SkipReason } from '../source/source-tree';
import { StepProgress } from '../source/step-progress';
import { Tally } from '../source/tally';
import type { DocumentOutline } from './document-outline';
import { graphOfDocument } from './document-graph';
import { readDocument } from './document-reader';

type DocumentationContext = StepContext<DocumentationOptions>;

type Finding =
  | { readonly skipped: SkipReason }
  | { readonly skipped: null; readonly path: string; readonly format: string; readonly outline: DocumentOutline };

/** Languages of files that are documents. */
const FORMATS: ReadonlySet<unknown> = new Set(['markdown', 'mdx', 'restructuredtext', 'asciidoc', 'text']);
const DOCUMENTS_AT_ONCE = 4;

/** Records the documents among the files that a filesystem step recorded, so that both agree on what is ignored. */
export class DocumentationHandler implements StepHandler<DocumentationOptions> {
  readonly definition = documentationDefinition;

  constructor(
    private readonly graph: GraphStore,
    private readonly sourceRoots: readonly string[],
  ) {}

  async run(context: DocumentationContext): Promise<JsonObject> {
    const source = await openLocalSource(context.input, this.sourceRoots);
    const files = await this.graph.countFiles(source.repository);
    if (files === null) {
      throw new PermanentError('no filesystem step has recorded this source yet', 'repository_missing');
    }
    const run = await this.graph.beginRun(source.repository, 'documentation');
    try {
      const progress = new StepProgress(context, files);
      return await record(context, source, run, documentsAmong(this.graph.files(source.repository), progress));
    } catch (error) {
      // A run that cannot be discarded now is forgotten later; the first error is the one that counts.
      await run.discard().catch(() => undefined);
      throw error;
    }
  }
}

async function record(
  context: DocumentationContext,
  source: OpenedSource,
  run: GraphRun,
  documents: AsyncIterable<RecordedFile>,
): Promise<JsonObject> {
  const counts = { documents: 0, headings: 0, links: 0, external_links: 0, truncated: 0 };
  const formats = new Tally();
  const skipped = new Tally();
  const ignores = ignore({ ignoreCase: false }).add(context.options.ignore_patterns);
  const inspect = (file: RecordedFile): Promise<Finding> =>
    ignores.ignores(file.path) ? Promise.resolve({ skipped: 'ignored' }) : outlineOf(context, source, file);
  for await (const found of inOrder(documents, DOCUMENTS_AT_ONCE, inspect)) {
    context.signal.throwIfAborted();
    if (found.skipped !== null) {
      skipped.add(found.skipped);
      continue;
    }
    const { nodes, edges, externalLinks } = graphOfDocument(found.path, found.format, found.outline);
    await run.add(nodes, edges);
    formats.add(found.format);
    counts.documents += 1;
    counts.headings += found.outline.sections.length;
    counts.links += found.outline.links.length;
    counts.external_links += externalLinks;
    counts.truncated += found.outline.truncated ? 1 : 0;
  }
  context.signal.throwIfAborted();
  context.progress(95, 'storing what has changed');
  const changes = await run.commit();
  return {
    repository_id: run.repositoryId,
    ...counts,
    broken_links: changes.unresolved.link ?? 0,
    formats: formats.toJson(),
    skipped: skipped.toJson(),
    ...changeCounts(changes),
  };
}

async function* documentsAmong(
  files: AsyncIterable<RecordedFile>,
  progress: StepProgress,
): AsyncGenerator<RecordedFile> {
  for await (const file of files) {
    if (FORMATS.has(file.properties.language)) yield file;
    progress.fileDone();
  }
}

async function outlineOf(
  { options, signal }: DocumentationContext,
  { tree }: OpenedSource,
  { path, properties }: RecordedFile,
): Promise<Finding> {
  if (properties.binary === true) return { skipped: 'binary' };
  const bytes =
    typeof properties.path_bytes === 'string' ? Buffer.from(properties.path_bytes, 'base64') : Buffer.from(path);
  const format = String(properties.language);
  try {
    return { skipped: null, path, format, outline: await readDocument(tree, bytes, format, options, signal) };
  } catch (error) {
    if (error instanceof Skipped) return { skipped: error.reason };
    throw error;
  }
}
