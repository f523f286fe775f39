import ignore from 'ignore';
import type { StepContext, StepHandler } from '#shared/contracts/handler';
import { filesystemDefinition, type FilesystemOptions } from '#shared/contracts/handlers/filesystem';
import type { JsonObject } from '#shared/domain/json';
import { TransientError } from '#shared/domain/step-errors';
import type { EdgeDraft, NodeDraft, NodeRef } from '#shared/store/graph/graph-model';
import type { GraphRun } from '#shared/store/graph/graph-run';
import type { GraphStore } from '#shared/store/graph/graph-store';
import { changeCounts } from '../source/change-counts';
import { inOrder } from '../source/in-order';
import { openLocalSource, type OpenedSource } from '../source/local-source';
import { Skipped, type SkipReason } from '../source/source-tree';
import { StepProgress } from '../source/step-progress';
import { Tally } from '../source/tally';
import { type FileFacts, readFileFacts } from './file-facts';
import { type TreeEntry, walkTree, type WalkOptions } from './tree-walk';

type FilesystemContext = StepContext<FilesystemOptions>;

/** A file or directory to record, or why there is none. */
type Finding =
  | { readonly kind: 'directory'; readonly entry: TreeEntry }
  | { readonly kind: 'file'; readonly entry: TreeEntry; readonly bytes: Buffer; readonly facts: FileFacts }
  | { readonly kind: 'skipped'; readonly entry: TreeEntry; readonly reason: SkipReason };

/** Files that are read at once; more gain nothing on one disk and only take threads from others. */
const FILES_AT_ONCE = 8;

/** Records a source's directories and files. Its run replaces what an earlier one recorded. */
export class FilesystemHandler implements StepHandler<FilesystemOptions> {
  readonly definition = filesystemDefinition;

  constructor(
    private readonly graph: GraphStore,
    private readonly sourceRoots: readonly string[],
  ) {}

  async run(context: FilesystemContext): Promise<JsonObject> {
    const source = await openLocalSource(context.input, this.sourceRoots);
    const run = await this.graph.beginRun(source.repository, 'filesystem');
    try {
      return await record(context, source, run);
    } catch (error) {
      // A run that cannot be discarded now is forgotten later; the first error is the one that counts.
      await run.discard().catch(() => undefined);
      throw error;
    }
  }
}

async function record(context: FilesystemContext, source: OpenedSource, run: GraphRun): Promise<JsonObject> {
  const progress = new StepProgress(context, await countFiles(source, walkOptions(context, false)));
  const counts = { files: 0, directories: 0, bytes: 0 };
  const skipped = new Tally();
  const languages = new Tally();
  await run.add([{ kind: 'repository', path: '', name: source.repository.name }], []);
  const walk = walkTree(source.tree, walkOptions(context, true));
  for await (const found of inOrder(walk, FILES_AT_ONCE, (entry) => inspect(context, source, entry))) {
    context.signal.throwIfAborted();
    if (found.kind === 'skipped') {
      // Taken for an empty source, it would wipe out all that is recorded.
      if (found.entry.path === '')
        throw new TransientError(`the source can no longer be read: ${found.reason}`, 'source_lost');
      skipped.add(found.reason);
      continue;
    }
    await run.add([nodeOf(found)], [containment(found.entry.path, found.kind)]);
    if (found.kind === 'directory') {
      counts.directories += 1;
      continue;
    }
    counts.files += 1;
    counts.bytes += found.facts.size;
    languages.add(found.facts.language ?? 'unknown');
    progress.fileDone();
  }
  context.signal.throwIfAborted();
  progress.committing();
  const changes = changeCounts(await run.commit());
  return {
    repository_id: run.repositoryId,
    ...counts,
    skipped: skipped.toJson(),
    languages: languages.toJson(),
    ...changes,
  };
}

function walkOptions(context: FilesystemContext, warn: boolean): WalkOptions {
  const patterns = context.options.ignore_patterns;
  // The library remembers every path that it has tested, so its memory is emptied by making it anew now and then.
  let rules = ignore({ ignoreCase: false }).add(patterns);
  let tested = 0;
  return {
    signal: context.signal,
    ignores: (path, isDirectory) => {
      if (patterns.length === 0) return false;
      if (++tested % 10_000 === 0) rules = ignore({ ignoreCase: false }).add(rules);
      return rules.ignores(isDirectory ? `${path}/` : path);
    },
    onWarning: (message) => warn && context.log('warn', message),
  };
}

async function countFiles({ tree }: OpenedSource, options: WalkOptions): Promise<number> {
  let files = 0;
  for await (const entry of walkTree(tree, options)) if (entry.kind === 'file') files += 1;
  return files;
}

async function inspect(
  { options, signal }: FilesystemContext,
  { tree }: OpenedSource,
  entry: TreeEntry,
): Promise<Finding> {
  if (entry.kind === 'skipped') return { kind: 'skipped', entry, reason: entry.reason };
  if (entry.kind === 'directory') return { kind: 'directory', entry };
  try {
    const facts = await readFileFacts(tree, entry.bytes, nameOf(entry.path), options.max_file_bytes, signal);
    return { kind: 'file', entry, bytes: entry.bytes, facts };
  } catch (error) {
    if (error instanceof Skipped) return { kind: 'skipped', entry, reason: error.reason };
    throw error;
  }
}

function nodeOf(found: Exclude<Finding, { kind: 'skipped' }>): NodeDraft {
  const { path } = found.entry;
  const node = { kind: found.kind, path, name: nameOf(path) };
  if (found.kind === 'directory') return node;
  const { size, hash, language, binary } = found.facts;
  const properties: JsonObject = { size, hash, language, binary };
  if (!Buffer.from(path).equals(found.bytes)) properties.path_bytes = found.bytes.toString('base64');
  return { ...node, properties };
}

function containment(path: string, kind: string): EdgeDraft {
  const slash = path.lastIndexOf('/');
  const parent: NodeRef =
    slash < 0 ? { kind: 'repository', path: '' } : { kind: 'directory', path: path.slice(0, slash) };
  return { kind: 'contains', from: parent, to: { kind, path } };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
