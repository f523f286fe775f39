import type { SubmitRequest } from '#shared/contracts/ingest-request';
import type { InputFault } from '#shared/domain/errors';
import type { PipelineDefinition } from '#shared/domain/pipeline';
import { resolveLocalSource } from '#shared/runtime/source-roots';

/** Where a job's data comes from, checked as far as can be seen from here. */
export type JobSource =
  | { readonly source: string; readonly type: 'local_path' }
  | { readonly source: null; readonly type: null }
  | { readonly fault: InputFault };

/** `https://…`, `git@host:path`, `ext::…`: no local path, whatever it is. */
const REMOTE = /^(?:[a-z][a-z0-9+.-]*:\/\/|[^/\s]+@[^/\s]+:|[a-z0-9]+::)/i;

/** Looks at the source of a job. @param resolved remembers what each path was found to be, for the length of one call */
export function findSource(
  request: Pick<SubmitRequest, 'source' | 'source_type'>,
  pipeline: Pick<PipelineDefinition, 'source' | 'name'> | null,
  roots: readonly string[],
  resolved: Map<string, Promise<JobSource>>,
): JobSource | Promise<JobSource> {
  const { source, source_type } = request;
  if (source === null || source === undefined) {
    if (pipeline?.source === 'required') return fault(`is missing: the pipeline ${pipeline.name} needs one`);
    return source_type ? fault('is missing, though it has a type') : { source: null, type: null };
  }
  if (source_type === 'git_url' || REMOTE.test(source)) {
    return fault('cannot be taken: git and other URLs are not supported yet, only local folders');
  }
  const known = resolved.get(source) ?? findFolder(source, roots);
  resolved.set(source, known);
  return known;
}

async function findFolder(path: string, roots: readonly string[]): Promise<JobSource> {
  const local = await resolveLocalSource(path, roots);
  return local.ok ? { source: local.path, type: 'local_path' } : fault(local.reason);
}

const fault = (message: string): JobSource => ({ fault: { path: 'source', message } });
