/*
 * What a worker has at work, in memory that its two threads share: a slot for each turn. The main thread writes, once
 * when it takes a turn and once for each step that begins or ends, without a message or a copy; the keeper thread reads,
 * now and then, also while the main thread is blocked.
 *
 * Each slot is a sequence lock: its number is odd while it is written. Both sides raise or read it by read-modify-write:
 * those alone are ordered against the plain accesses in between on either side, on every processor.
 */

/** Words of 4 bytes. */
const SEQUENCE = 0;
const TAKEN = 1;
const STORE = 2;
const REPLY_LENGTH = 3;
const RUN = 4;
const HEAD = 5;
const IDX = 6;
const LABEL_LENGTH = 7;
const RUNS = 8;
/** Also written without the lock. */
const UNRECORDED = 9;
const WORDS = 10;
/** Numbers of 8 bytes. */
const TAKEN_AT = 0;
const STARTED_AT = 1;
const STARTED_AT_MICROS = 2;
const TIMEOUT = 3;
const NUMBERS = 4;
/** Texts, one byte a character. */
const JOB_AT = WORDS * 4 + NUMBERS * 8;
const JOB_BYTES = 36;
const REPLY_AT = JOB_AT + JOB_BYTES;
const LABEL_BYTES = 160;
const SLOT_BYTES = 768;
const REPLY_BYTES = SLOT_BYTES - REPLY_AT - LABEL_BYTES;
const LABEL_AT = REPLY_AT + REPLY_BYTES;

const NO_STEP = -1;
const NO_TIMEOUT = -1;
/** A slot that is being written again and again is read at the next look. */
const READ_TRIES = 8;

/** What a turn's current step is called in the log. Made once for each step of a pipeline. */
export type StepLabel = Uint8Array;

/** @param step and handler as they are named in the pipeline: ASCII */
export const stepLabel = (step: string, handler: string): StepLabel =>
  Buffer.from(`${step}\n${handler}`.slice(0, LABEL_BYTES), 'latin1');

/** A step that begins. */
export interface BegunStep {
  readonly run: number;
  readonly head: number;
  readonly idx: number;
  readonly label: StepLabel;
  /** By the database's clock, in microseconds. */
  readonly startedAt: number;
  readonly timeoutMs: number | null;
  /** Whether its begin is still to be recorded, and alone. */
  readonly unrecorded: boolean;
}

/** A turn as the other thread sees it. */
export interface WatchedTurn {
  readonly slot: number;
  /** The subject that its delivery is answered at. */
  readonly reply: string;
  /** Which store the delivery came from. */
  readonly store: number;
  readonly jobId: string;
  /** `performance.now()` of the main thread. */
  readonly takenAtMs: number;
  /** The step that it began last. */
  readonly step: WatchedStep | null;
}

export interface WatchedStep {
  readonly run: number;
  readonly head: number;
  readonly idx: number;
  readonly name: string;
  readonly handler: string;
  /** `performance.now()` of the main thread. */
  readonly startedAtMs: number;
  /** By the database's clock, in microseconds. */
  readonly startedAt: number;
  readonly timeoutMs: number | null;
  /** False: its handler has ended. */
  readonly runs: boolean;
  /** Whether the database knows nothing of its begin, nor of its end unless that is just being recorded. */
  readonly unrecorded: boolean;
}

interface SlotViews {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly bytes: Uint8Array;
}

function viewsOf(buffer: SharedArrayBuffer): SlotViews[] {
  return Array.from({ length: buffer.byteLength / SLOT_BYTES }, (_, slot) => ({
    words: new Int32Array(buffer, slot * SLOT_BYTES, WORDS),
    numbers: new Float64Array(buffer, slot * SLOT_BYTES + WORDS * 4, NUMBERS),
    bytes: new Uint8Array(buffer, slot * SLOT_BYTES, SLOT_BYTES),
  }));
}

/** No slot: there was none, or what it would hold does not fit. All calls take it and do nothing. */
export const NO_SLOT = -1;

/** The main thread's side. */
export class TurnSlots {
  readonly buffer: SharedArrayBuffer;
  private readonly slots: SlotViews[];
  private readonly free: number[];

  /** @param count turns at most */
  constructor(count: number) {
    this.buffer = new SharedArrayBuffer(count * SLOT_BYTES);
    this.slots = viewsOf(this.buffer);
    this.free = this.slots.map((_, slot) => slot).reverse();
  }

  /** Whether a reply subject fits. */
  static fits(reply: string): boolean {
    return reply.length <= REPLY_BYTES;
  }

  /** A turn was delivered. @returns its slot */
  take(reply: string, store: number, jobId: string, nowMs: number): number {
    const slot = this.free.at(-1);
    const views = slot === undefined ? undefined : this.slots[slot];
    if (slot === undefined || !views || !TurnSlots.fits(reply) || jobId.length !== JOB_BYTES) return NO_SLOT;
    this.free.pop();
    const { words, numbers, bytes } = views;
    Atomics.add(words, SEQUENCE, 1);
    words[TAKEN] = 1;
    words[STORE] = store;
    words[IDX] = NO_STEP;
    words[UNRECORDED] = 0;
    words[REPLY_LENGTH] = reply.length;
    numbers[TAKEN_AT] = nowMs;
    for (let i = 0; i < JOB_BYTES; i += 1) bytes[JOB_AT + i] = jobId.charCodeAt(i);
    for (let i = 0; i < reply.length; i += 1) bytes[REPLY_AT + i] = reply.charCodeAt(i);
    Atomics.add(words, SEQUENCE, 1);
    return slot;
  }

  /** A step of the turn begins now. */
  began(slot: number, step: BegunStep, nowMs: number): void {
    const views = this.slots[slot];
    if (!views) return;
    const { words, numbers, bytes } = views;
    Atomics.add(words, SEQUENCE, 1);
    words[RUN] = step.run;
    words[HEAD] = step.head;
    words[IDX] = step.idx;
    words[RUNS] = 1;
    words[UNRECORDED] = step.unrecorded ? 1 : 0;
    words[LABEL_LENGTH] = step.label.length;
    bytes.set(step.label, LABEL_AT);
    numbers[STARTED_AT] = nowMs;
    numbers[STARTED_AT_MICROS] = step.startedAt;
    numbers[TIMEOUT] = step.timeoutMs ?? NO_TIMEOUT;
    Atomics.add(words, SEQUENCE, 1);
  }

  /** The begin of the turn's step is, or is about to be, recorded by the main thread. */
  recorded(slot: number): void {
    const views = this.slots[slot];
    if (views) Atomics.store(views.words, UNRECORDED, 0);
  }

  /** The step's handler has ended. */
  ended(slot: number): void {
    const views = this.slots[slot];
    if (!views) return;
    Atomics.add(views.words, SEQUENCE, 1);
    views.words[RUNS] = 0;
    Atomics.add(views.words, SEQUENCE, 1);
  }

  /** The turn has ended. */
  give(slot: number): void {
    const views = this.slots[slot];
    if (!views) return;
    Atomics.add(views.words, SEQUENCE, 1);
    views.words[TAKEN] = 0;
    Atomics.add(views.words, SEQUENCE, 1);
    this.free.push(slot);
  }
}

/** The other thread's side. */
export class TurnSlotReader {
  private readonly slots: SlotViews[];

  constructor(buffer: SharedArrayBuffer) {
    this.slots = viewsOf(buffer);
  }

  /** How many turns are at work. */
  count(): number {
    return this.slots.reduce((count, { words }) => count + (words[TAKEN] ?? 0), 0);
  }

  /** The turns at work: each whole as it was at one moment. One that is just being written may be left out. */
  *turns(): Generator<WatchedTurn> {
    for (let slot = 0; slot < this.slots.length; slot += 1) {
      const turn = this.read(slot);
      if (turn) yield turn;
    }
  }

  /** Whether the slot still holds that turn. */
  holds({ slot, takenAtMs, reply }: WatchedTurn): boolean {
    const now = this.read(slot);
    return now !== null && now.takenAtMs === takenAtMs && now.reply === reply;
  }

  private read(slot: number): WatchedTurn | null {
    const views = this.slots[slot];
    if (!views) return null;
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const sequence = Atomics.load(views.words, SEQUENCE);
      if (sequence % 2 !== 0) continue;
      if (views.words[TAKEN] !== 1) return null;
      const bytes = views.bytes.slice();
      if (Atomics.add(views.words, SEQUENCE, 0) === sequence) return decode(slot, bytes);
    }
    return null;
  }
}

function decode(slot: number, bytes: Uint8Array): WatchedTurn | null {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, WORDS);
  const numbers = new Float64Array(bytes.buffer, bytes.byteOffset + WORDS * 4, NUMBERS);
  if (words[TAKEN] !== 1) return null;
  return {
    slot,
    reply: text(bytes, REPLY_AT, words[REPLY_LENGTH] ?? 0),
    store: words[STORE] ?? 0,
    jobId: text(bytes, JOB_AT, JOB_BYTES),
    takenAtMs: numbers[TAKEN_AT] ?? 0,
    step: words[IDX] === NO_STEP ? null : decodeStep(bytes, words, numbers),
  };
}

function decodeStep(bytes: Uint8Array, words: Int32Array, numbers: Float64Array): WatchedStep {
  const [name = '', handler = ''] = text(bytes, LABEL_AT, words[LABEL_LENGTH] ?? 0).split('\n');
  const timeoutMs = numbers[TIMEOUT] ?? NO_TIMEOUT;
  return {
    ...{ run: words[RUN] ?? 0, head: words[HEAD] ?? 0, idx: words[IDX] ?? 0, name, handler },
    startedAtMs: numbers[STARTED_AT] ?? 0,
    startedAt: numbers[STARTED_AT_MICROS] ?? 0,
    timeoutMs: timeoutMs === NO_TIMEOUT ? null : timeoutMs,
    runs: words[RUNS] === 1,
    unrecorded: words[UNRECORDED] === 1,
  };
}

const text = (bytes: Uint8Array, from: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('latin1');
