import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { canonicalJson } from '#shared/domain/json';
import { type PipelineDefinition, type PipelineGraph, pipelineGraph } from '#shared/domain/pipeline';

/** A stored definition with what follows from it. */
export interface StoredPipeline {
  readonly hash: string;
  readonly definition: PipelineDefinition;
  readonly graph: PipelineGraph;
}

/** The definitions that jobs keep, one row per content. Rows never change, so a process reads each only once. */
export class PipelineStore {
  private readonly known = new Map<string, StoredPipeline>();

  constructor(
    private readonly database: DataSource,
    private readonly maxKnown = 1_000,
  ) {}

  /** Stores the definition unless it is there, and returns it with its hash. */
  async save(definition: PipelineDefinition): Promise<StoredPipeline> {
    const text = canonicalJson(definition);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
    const known = this.known.get(hash);
    if (known) return known;
    await this.database.query(
      'INSERT INTO pipelines (hash, name, definition) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING',
      [hash, definition.name, text],
    );
    return this.remember(hash, definition);
  }

  /** The definition of that hash. @throws when there is none: a job without its pipeline cannot be */
  async get(hash: string): Promise<StoredPipeline> {
    const found = await this.find(hash);
    if (!found) throw new Error(`pipeline ${hash} is not stored`);
    return found;
  }

  /** The definition of that hash, or null. */
  async find(hash: string): Promise<StoredPipeline | null> {
    const known = this.known.get(hash);
    if (known) return known;
    const rows: { definition: PipelineDefinition }[] = await this.database.query(
      'SELECT definition FROM pipelines WHERE hash = $1',
      [hash],
    );
    const definition = rows[0]?.definition;
    return definition ? this.remember(hash, definition) : null;
  }

  /** The definition of that hash when this process has read it before. */
  peek(hash: string): StoredPipeline | undefined {
    return this.known.get(hash);
  }

  private remember(hash: string, definition: PipelineDefinition): StoredPipeline {
    const stored = { hash, definition, graph: pipelineGraph(definition.steps) };
    if (this.known.size >= this.maxKnown) {
      const oldest = this.known.keys().next().value;
      if (oldest !== undefined) this.known.delete(oldest);
    }
    this.known.set(hash, stored);
    return stored;
  }
}
