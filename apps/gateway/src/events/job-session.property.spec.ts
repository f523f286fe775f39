import * as fc from 'fast-check';
import type { JobView } from '#shared/contracts/job';
import type { LiveEventBatch } from '#shared/contracts/live-event';
import { JobSession, type SessionAction } from './job-session';
import type { EventMessage } from './socket-messages';

const JOB = '01890000-0000-7000-8000-000000000001';

/** What a history of random moves may do to the job, to its events on their way, and to the session. */
type Move =
  | { readonly kind: 'change'; readonly events: number; readonly isRetry: boolean }
  | { readonly kind: 'deliver' | 'lose' | 'double'; readonly which: number }
  | { readonly kind: 'progress' | 'begin_read' | 'look' | 'end_read' | 'fail_read' | 'hold_over' }
  | { readonly kind: 'reconnect' | 'compare' };

const simple = fc.constantFrom<Move[]>(
  { kind: 'progress' },
  { kind: 'begin_read' },
  { kind: 'look' },
  { kind: 'look' },
  { kind: 'end_read' },
  { kind: 'fail_read' },
  { kind: 'hold_over' },
  { kind: 'reconnect' },
  { kind: 'compare' },
);
const change = fc
  .tuple(fc.nat(2), fc.boolean())
  .map(([events, isRetry]): Move => ({ kind: 'change', events, isRetry }));
const transmission = fc
  .tuple(
    fc.constantFrom<('deliver' | 'lose' | 'double')[]>('deliver', 'deliver', 'deliver', 'lose', 'double'),
    fc.nat(3),
  )
  .map(([kind, which]): Move => ({ kind, which }));
const move = fc.oneof(simple, change, transmission);

/**
 * The store, the bus and the client around a session. What happened to the job is one list of events; a client that
 * has a snapshot of a version knows all of them up to there, and must then be given the next one, and the next.
 */
class World {
  readonly session = new JobSession(JOB);
  version = 1;
  private readonly underWay: LiveEventBatch[] = [];
  private wantsRead = true;
  /** undefined: no read is under way; null: it has not looked at the row yet. */
  private seen: number | null | undefined;
  private holding = false;

  private readonly history: { readonly version: number; readonly name: string }[] = [];
  /** How much of the history the client knows; -1: it has no snapshot. */
  private known = -1;
  private seq = 0;
  private clientVersion = 0;

  apply(move: Move): void {
    switch (move.kind) {
      case 'change':
        this.change(move.events, move.isRetry);
        break;
      case 'deliver':
      case 'lose':
      case 'double':
        this.transmit(move.kind, move.which);
        break;
      case 'progress':
        this.underWay.push({ job_id: JOB, version: 0, events: [{ event: 'step.progress', at: '', step: 's' }] });
        break;
      case 'begin_read':
        this.beginRead();
        break;
      case 'look':
        if (this.seen === null) this.seen = this.version;
        break;
      case 'end_read':
        this.endRead();
        break;
      case 'fail_read':
        if (this.seen === undefined) break;
        this.seen = undefined;
        this.session.readFailed();
        this.wantsRead = true;
        break;
      case 'hold_over':
        if (this.holding) this.holdOver();
        break;
      case 'reconnect':
        this.underWay.length = 0;
        this.act(this.session.renew());
        break;
      case 'compare':
        this.act(this.session.onStoredVersion(this.version));
        break;
    }
  }

  /** Nothing more goes wrong: one comparison with the store, and all that was begun ends. */
  settle(): void {
    while (this.underWay.length > 0) this.transmit('deliver', 0);
    this.endReads();
    this.act(this.session.onStoredVersion(this.version));
    this.endReads();
    expect(this.known).toBe(this.history.length);
  }

  private endReads(): void {
    for (let round = 0; round < 10 && (this.holding || this.wantsRead || this.seen !== undefined); round += 1) {
      if (this.seen !== undefined) this.endRead();
      if (this.wantsRead) this.beginRead();
      if (this.holding) this.holdOver();
    }
  }

  private change(events: number, isRetry: boolean): void {
    this.version += 1;
    const names = Array.from({ length: events }, (_, index) => `${this.version}.${index}`);
    for (const name of names) this.history.push({ version: this.version, name });
    this.underWay.push({
      job_id: JOB,
      version: this.version,
      events: names.map((message, index) => ({
        event: isRetry && index === 0 ? 'job.retried' : 'step.started',
        at: '',
        message,
      })),
    });
  }

  private transmit(how: 'deliver' | 'lose' | 'double', which: number): void {
    if (this.underWay.length === 0) return;
    const index = which % this.underWay.length;
    const batch = this.underWay[index];
    if (how !== 'double') this.underWay.splice(index, 1);
    if (how !== 'lose' && batch) this.act(this.session.onBatch(batch));
  }

  private beginRead(): void {
    if (!this.wantsRead || this.seen !== undefined) return;
    this.wantsRead = false;
    this.seen = null;
    this.session.readBegins();
  }

  private endRead(): void {
    if (this.seen === undefined) return;
    const version = this.seen ?? this.version;
    this.seen = undefined;
    this.act(
      this.session.onSnapshot({ id: JOB, version, status: 'running', steps: [] } as unknown as JobView),
      version,
    );
  }

  private holdOver(): void {
    this.holding = false;
    this.act(this.session.holdOver());
  }

  private act(actions: readonly SessionAction[], read = 0): void {
    for (const action of actions) {
      if (action.kind === 'hold') {
        expect(this.holding).toBe(false);
        this.holding = true;
      }
      if (action.kind === 'read') {
        expect(this.wantsRead || this.seen !== undefined).toBe(false);
        this.wantsRead = true;
      }
      if (action.kind === 'send_snapshot') this.receiveSnapshot(read);
      if (action.kind === 'send_event') this.receiveEvent(action.message);
    }
  }

  private receiveSnapshot(version: number): void {
    expect(version).toBeGreaterThanOrEqual(this.clientVersion);
    this.clientVersion = version;
    const later = this.history.findIndex((event) => event.version > version);
    this.known = later === -1 ? this.history.length : later;
  }

  private receiveEvent(event: EventMessage): void {
    this.seq += 1;
    expect(event.seq).toBe(this.seq);
    expect(this.known).toBeGreaterThanOrEqual(0);
    if (event.event === 'step.progress') return;
    expect({ version: event.version, name: event.message }).toEqual(this.history[this.known]);
    this.known += 1;
    this.clientVersion = event.version;
  }
}

describe('JobSession, whatever happens to the events on their way', () => {
  it('shows each change once and in order, and at the end all of them', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 120, size: 'max' }), (moves) => {
        const world = new World();
        for (const each of moves) world.apply(each);
        world.settle();
      }),
      { numRuns: 1_000 },
    );
  });
});
