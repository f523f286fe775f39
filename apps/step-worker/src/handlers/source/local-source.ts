import { basename } from 'node:path';
import type { JobInput } from '#shared/contracts/handler';
import { PermanentError } from '#shared/domain/step-errors';
import { resolveLocalSource } from '#shared/runtime/source-roots';
import type { RepositoryDraft } from '#shared/store/graph/graph-model';
import { Skipped, SourceTree } from './source-tree';

export interface OpenedSource {
  readonly tree: SourceTree;
  readonly repository: RepositoryDraft;
}

/**
 * The folder that a job names, checked again at the time of the run.
 * @throws PermanentError when there is none, or none that may be read
 */
export async function openLocalSource(input: JobInput, roots: readonly string[]): Promise<OpenedSource> {
  if (input.source === null) throw new PermanentError('the job names no source', 'source_missing');
  if (input.source_type !== 'local_path') {
    throw new PermanentError('sources of type git_url are not supported', 'source_unsupported');
  }
  const local = await resolveLocalSource(input.source, roots);
  if (!local.ok) throw new PermanentError(`source ${input.source} ${local.reason}`, 'source_refused');
  const tree = await SourceTree.at(local.path).catch((error: unknown) => {
    if (error instanceof Skipped) throw new PermanentError(`source ${input.source} cannot be read`, 'source_refused');
    throw error;
  });
  const { path: source } = local;
  const name = basename(source) || source;
  return { tree, repository: { source, sourceType: 'local_path', branch: null, name, commit: null } };
}
