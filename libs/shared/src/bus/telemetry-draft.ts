import type { TelemetryBatch } from '#shared/contracts/telemetry';
import { Sketch } from '#shared/domain/usage/sketch';
import { type EndedAttempt, StepUsage } from '#shared/domain/usage/step-usage';

/** Minutes of steps in one batch: the contract's limit. */
export const MAX_GROUPS = 10_000;
const MICROS_PER_MINUTE = 60_000_000;
const MS_PER_MINUTE = 60_000;

/** A batch as it is sent. */
export interface EncodedBatch {
  readonly id: string;
  readonly payload: string;
  readonly attempts: number;
}

/** What is being counted for the next batch. */
export class TelemetryDraft {
  private readonly minutes = new Map<number, Map<string, Map<string, StepUsage>>>();
  private readonly lateness = new Sketch();
  private groups = 0;
  /** Attempts that found no room. */
  dropped = 0;

  get isEmpty(): boolean {
    return this.groups === 0 && this.lateness.count === 0;
  }

  /** Runs for each attempt, so it builds no keys. */
  observe(pipeline: string, step: string, finishedAtMicros: number, attempt: EndedAttempt): void {
    const minute = Math.floor(finishedAtMicros / MICROS_PER_MINUTE);
    const usage = this.minutes.get(minute)?.get(pipeline)?.get(step) ?? this.addGroup(minute, pipeline, step);
    if (usage) usage.observe(attempt);
    else this.dropped += 1;
  }

  observeLateness(seconds: number): void {
    this.lateness.observe(seconds);
  }

  /**
   * All of it as batches of at most `maxBytes`; one that cannot be made so small is made all the same.
   * @param nextId gives each an id of its own
   */
  encode(sender: string, maxBytes: number, nextId: () => string): EncodedBatch[] {
    const batches: EncodedBatch[] = [];
    const lateness = this.lateness.count > 0 ? `,"lateness_seconds":${JSON.stringify(this.lateness)}` : '';
    const around = 128 + Buffer.byteLength(sender) * 2 + lateness.length;
    let steps: string[] = [];
    let bytes = around;
    let attempts = 0;
    const cut = (): void => {
      const id = nextId();
      const end = batches.length === 0 ? lateness : '';
      const payload = `{"id":${JSON.stringify(id)},"sender":${JSON.stringify(sender)},"steps":[${steps.join(',')}]${end}}`;
      batches.push({ id, payload, attempts });
      [steps, bytes, attempts] = [[], around, 0];
    };
    for (const group of this.all()) {
      const text = JSON.stringify(group);
      const size = Buffer.byteLength(text) + 1;
      if (steps.length > 0 && bytes + size > maxBytes) cut();
      steps.push(text);
      bytes += size;
      attempts += group.usage.attempts;
    }
    if (steps.length > 0 || (lateness !== '' && batches.length === 0)) cut();
    return batches;
  }

  private addGroup(minute: number, pipeline: string, step: string): StepUsage | null {
    if (this.groups >= MAX_GROUPS) return null;
    this.groups += 1;
    const pipelines = entry(this.minutes, minute, () => new Map<string, Map<string, StepUsage>>());
    return entry(
      entry(pipelines, pipeline, () => new Map<string, StepUsage>()),
      step,
      () => new StepUsage(),
    );
  }

  private *all(): Iterable<TelemetryGroup> {
    for (const [minute, pipelines] of this.minutes) {
      const iso = new Date(minute * MS_PER_MINUTE).toISOString();
      for (const [pipeline, steps] of pipelines) {
        for (const [step, usage] of steps) yield { minute: iso, pipeline, step, usage };
      }
    }
  }
}

type TelemetryGroup = Omit<TelemetryBatch['steps'][number], 'usage'> & { readonly usage: StepUsage };

function entry<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
