import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LogLevel, StepContext, StepHandler } from '#shared/contracts/handler';
import type { Json, JsonObject } from '#shared/domain/json';
import { type Database, openDatabase } from '#shared/store/database';
import { createTestDatabase, type TestDatabase } from '../support/test-database';

/** A database of the spec's own, with a connection to it as the services have it. */
export interface GraphStage {
  readonly test: TestDatabase;
  readonly database: Database;
  close(): Promise<void>;
}

export async function openGraphStage(): Promise<GraphStage> {
  const test = await createTestDatabase();
  const database = await openDatabase({ url: test.url, applicationName: 'graph-spec' });
  const close = async (): Promise<void> => {
    await database.destroy();
    await test.drop();
  };
  return { test, database, close };
}

/** A folder that can be a source. */
export class SourceFolder {
  private constructor(readonly path: string) {}

  static async make(): Promise<SourceFolder> {
    return new SourceFolder(await realpath(await mkdtemp(join(tmpdir(), 'source-'))));
  }

  /** Writes files by path; folders are made. */
  async write(files: Record<string, string | Buffer>): Promise<void> {
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(this.path, path)), { recursive: true });
      await writeFile(join(this.path, path), content);
    }
  }

  /** For names that are no text. */
  async writeBytes(name: Buffer, content: string): Promise<void> {
    await writeFile(Buffer.concat([Buffer.from(`${this.path}/`), name]), content);
  }

  async remove(path = ''): Promise<void> {
    await rm(join(this.path, path), { recursive: true, force: true });
  }
}

export interface RunOptions {
  readonly source: string | null;
  readonly sourceType?: 'local_path' | 'git_url' | null;
  readonly options?: JsonObject;
  readonly signal?: AbortSignal;
  readonly onProgress?: (percent: number, message?: string) => void;
  readonly onLog?: (level: LogLevel, message: string) => void;
}

/** Runs a handler as a worker would, with options that its schema has parsed. */
export async function runHandler(handler: StepHandler, run: RunOptions): Promise<Json> {
  const { source, sourceType = 'local_path' } = run;
  const context: StepContext = {
    ...{ jobId: 'job', step: handler.definition.name, attempt: 1, idempotencyKey: 'key', outputs: {} },
    input: { source, source_type: sourceType, branch: null, commit: null, input: {} },
    options: handler.definition.options.parse(run.options ?? {}),
    signal: run.signal ?? new AbortController().signal,
    progress: (percent, message) => run.onProgress?.(percent, message),
    log: (level, message) => run.onLog?.(level, message),
  };
  return (await handler.run(context)) ?? {};
}
