import { isEnded } from '#shared/domain/status';
import type { JobView } from '#shared/contracts/job';
import type { LiveEvent, LiveEventBatch } from '#shared/contracts/live-event';
import { AttemptsOver } from './attempts-over';
import type { EventMessage } from './socket-messages';

/** How long a batch that came too early waits for the ones before it. */
export const HOLD_MS = 75;
/** Batches that wait at most; with more, all are dropped and a snapshot takes their place. */
const MAX_HELD = 16;

/** What the session's owner has to do, in this order. */
export type SessionAction =
  | { readonly kind: 'send_snapshot' }
  | { readonly kind: 'send_event'; readonly message: EventMessage }
  /** Read the job: call `readBegins` when the read begins, then `onSnapshot` or `readFailed`. */
  | { readonly kind: 'read' }
  /** Call `holdOver` in HOLD_MS. */
  | { readonly kind: 'hold' }
  /** The client knows now that the job has ended. */
  | { readonly kind: 'ended' };

/**
 * What one client knows of one job, and what it has to be told. Pure: no clock, no socket, no store.
 *
 * Batches of events may be lost, doubled or swapped on their way. They are published after their change is committed,
 * and each change raises the job's version by one; so
 * - the client is given events in the order of their versions, each once, and `version` says how far it is;
 * - a read that begins after a batch came shows at least that batch's version: such a batch need not be kept;
 * - a version that is known of, does not come within the hold and is not the next one, makes the job be read anew.
 */
export class JobSession {
  private seq = 0;
  /** What the client knows; null before the first snapshot. */
  private version: number | null = null;
  /** The highest version that was heard of since the last read began. */
  private newest = 0;
  private reading: 'no' | 'asked' | 'under_way' = 'asked';
  private readAgain = false;
  /** The version at which the owner was asked to hold; null: it was not. */
  private holdingAt: number | null = null;
  private readonly held = new Map<number, LiveEventBatch>();
  private readonly earlyProgress = new Map<string, LiveEvent>();
  private readonly attemptsOver = new AttemptsOver();

  /** A new session waits for its first read: the owner begins one, once events reach the session. */
  constructor(readonly jobId: string) {}

  /** Whether a snapshot is on its way to the client. */
  get waitsForSnapshot(): boolean {
    return this.reading !== 'no';
  }

  /** What is held belongs to changes that the read will show. */
  readBegins(): void {
    this.reading = 'under_way';
    this.readAgain = false;
    this.newest = 0;
    this.held.clear();
  }

  /** The owner tries again later. */
  readFailed(): void {
    this.reading = 'asked';
  }

  onSnapshot(job: JobView): SessionAction[] {
    const actions: SessionAction[] = [{ kind: 'send_snapshot' }];
    this.version = job.version;
    this.reading = 'no';
    this.attemptsOver.learnFrom(job);
    if (isEnded(job.status)) actions.push({ kind: 'ended' });
    for (const event of this.earlyProgress.values()) {
      if (!isPassed(event, job)) this.deliver(event, actions);
    }
    this.earlyProgress.clear();
    if (this.readAgain) this.askForRead(actions);
    else this.deliverHeld(actions);
    return actions;
  }

  onBatch(batch: LiveEventBatch): SessionAction[] {
    const actions: SessionAction[] = [];
    if (batch.events.length > 0 && batch.events.every((event) => event.event === 'step.progress')) {
      this.onProgress(batch, actions);
      return actions;
    }
    if (this.version !== null && batch.version <= this.version) return actions;
    this.hearOf(batch.version);
    if (this.reading === 'asked') return actions;
    if (this.held.size >= MAX_HELD) this.held.clear();
    this.held.set(batch.version, batch);
    if (this.reading === 'no') this.deliverHeld(actions);
    return actions;
  }

  /** What the store says of the job's version; null: it does not have the job any more. */
  onStoredVersion(version: number | null): SessionAction[] {
    const actions: SessionAction[] = [];
    if (this.version === null || this.reading !== 'no') return actions;
    if (version === null) {
      this.askForRead(actions);
    } else {
      this.hearOf(version);
      this.holdAtGap(actions);
    }
    return actions;
  }

  holdOver(): SessionAction[] {
    const actions: SessionAction[] = [];
    const since = this.holdingAt;
    this.holdingAt = null;
    if (this.reading !== 'no' || !this.hasGap()) return actions;
    // What was missing then has come: the gap there is now is a newer one, with a hold of its own.
    if (since !== this.version) this.holdAtGap(actions);
    else this.askForRead(actions);
    return actions;
  }

  /** Something may have been missed, nobody knows what. */
  renew(): SessionAction[] {
    const actions: SessionAction[] = [];
    if (this.reading === 'under_way') this.readAgain = true;
    else if (this.reading === 'no') this.askForRead(actions);
    return actions;
  }

  /** Progress changes no version: the client gets it at once, unless it is of an attempt that is known to be over. */
  private onProgress(batch: LiveEventBatch, actions: SessionAction[]): void {
    if (this.version === null) {
      for (const event of batch.events) this.earlyProgress.set(event.step ?? '', event);
      return;
    }
    for (const event of batch.events) {
      if (!this.attemptsOver.includes(event)) this.deliver(event, actions);
    }
    this.hearOf(batch.version);
    if (this.reading === 'no') this.holdAtGap(actions);
  }

  private deliverHeld(actions: SessionAction[]): void {
    if (this.version === null) return;
    for (let next = this.held.get(this.version + 1); next; next = this.held.get(this.version + 1)) {
      this.held.delete(next.version);
      this.version = next.version;
      for (const event of next.events) this.deliver(event, actions);
      // Which steps go back to where they began is not told one by one.
      if (next.events.some(({ event }) => event === 'job.retried')) return this.askForRead(actions);
    }
    for (const version of this.held.keys()) if (version <= this.version) this.held.delete(version);
    this.holdAtGap(actions);
  }

  private deliver(event: LiveEvent, actions: SessionAction[]): void {
    this.attemptsOver.learn(event);
    this.seq += 1;
    const { event: name, ...rest } = event;
    const message: EventMessage = {
      type: 'event',
      event: name,
      job_id: this.jobId,
      seq: this.seq,
      version: this.version ?? 0,
      ...rest,
    };
    actions.push({ kind: 'send_event', message });
    if (name === 'job.completed' || name === 'job.failed' || name === 'job.cancelled') actions.push({ kind: 'ended' });
  }

  private hearOf(version: number): void {
    if (version > this.newest) this.newest = version;
  }

  private hasGap(): boolean {
    return this.version !== null && this.newest > this.version;
  }

  private holdAtGap(actions: SessionAction[]): void {
    if (!this.hasGap() || this.holdingAt !== null) return;
    this.holdingAt = this.version;
    actions.push({ kind: 'hold' });
  }

  private askForRead(actions: SessionAction[]): void {
    this.reading = 'asked';
    actions.push({ kind: 'read' });
  }
}

/** Whether the snapshot is ahead of this progress. */
function isPassed(event: LiveEvent, job: JobView): boolean {
  const step = job.steps.find((each) => each.name === event.step);
  if (!step || isEnded(job.status)) return true;
  if (event.attempt !== undefined && event.attempt !== step.attempt) return event.attempt < step.attempt;
  return (step.status !== 'running' && step.attempt > 0) || (event.progress ?? 0) <= step.progress;
}
