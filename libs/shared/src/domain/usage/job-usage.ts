import { Sketch, type SketchJson } from '#shared/domain/usage/sketch';

export interface JobUsageJson {
  readonly jobs: number;
  readonly duration_ms: SketchJson;
}

/** Jobs of one pipeline that ended in one way. */
export class JobUsage {
  jobs = 0;
  /** From start to end, of those that had begun. */
  readonly durationMs = new Sketch();

  static from(json: JobUsageJson): JobUsage {
    const usage = new JobUsage();
    usage.jobs = json.jobs;
    usage.durationMs.merge(Sketch.from(json.duration_ms));
    return usage;
  }

  merge(other: JobUsage): void {
    this.jobs += other.jobs;
    this.durationMs.merge(other.durationMs);
  }

  toJSON(): JobUsageJson {
    return { jobs: this.jobs, duration_ms: this.durationMs.toJSON() };
  }
}
