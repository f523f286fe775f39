/*
 * What a worker has at work, in memory that its two threads share: a slot for each turn. The main thread writes, once
 * when it takes a turn and once for each step that begins or ends, without a message or a copy; the keeper thread reads,
 * now and then, also while the main thread is blocked.
 *
 * Each slot is a sequence lock: its number is odd while it is written. Both sides raise or read it by read-modify-write:
 * those alone are ordered against the plain accesses in between on either side, on every processor. Words that stand for
 * themselves (TAKEN, RUNS, UNRECORDED) are also written without it: a reader sees such a word before or after, no worse.
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
const UNRECORDED = 9;
const WORDS = 10;
/** Numbers of 8 bytes. */
const TAKEN_AT = 0;
const STARTED_AT = 1;
const STARTED_AT_MICROS = 2;
const TIMEOUT = 3;
const NUMBERS = 4;
/** Texts, one byte a character; what is written most lies next to the words. */
const JOB_AT = WORDS * 4 + NUMBERS * 8;
const JOB_BYTES = 36;
const LABEL_AT = JOB_AT + JOB_BYTES;
const LABEL_BYTES = 160;
const REPLY_AT = LABEL_AT + LABEL_BYTES;
const SLOT_BYTES = 768;
const REPLY_BYTES = SLOT_BYTES - REPLY_AT;
const SLOT_WORDS = SLOT_BYTES / 4;
const SLOT_NUMBERS = SLOT_BYTES / 8;
/** Where the numbers of a slot begin. */
const NUMBERS_AT = (WORDS * 4) / 8;

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

/** All slots, seen as each kind: views of each slot's own would cost more time than what is written through them. */
class SlotMemory {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly bytes: Uint8Array;
  /** The bytes once more: writes a text in a fifth of the time of a loop. */
  readonly text: Buffer;
  readonly count: number;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.numbers = new Float64Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.text = Buffer.from(buffer);
    this.count = buffer.byteLength / SLOT_BYTES;
  }
}

/** No slot: there was none, or what it would hold does not fit. All calls take it and do nothing. */
export const NO_SLOT = -1;

/** The main thread's side. */
export class TurnSlots {
  private readonly memory: SlotMemory;
  private readonly free: number[];

  /** @param count turns at most */
  constructor(count: number) {
    this.memory = new SlotMemory(new SharedArrayBuffer(count * SLOT_BYTES));
    this.free = Array.from({ length: count }, (_, i) => count - 1 - i);
  }

  get buffer(): SharedArrayBuffer {
    return this.memory.buffer;
  }

  /** Whether a reply subject fits. */
  static fits(reply: string): boolean {
    return reply.length <= REPLY_BYTES;
  }

  /** A turn was delivered. @returns its slot */
  take(reply: string, store: number, jobId: string, nowMs: number): number {
    const slot = this.free.at(-1);
    if (slot === undefined || !TurnSlots.fits(reply) || jobId.length !== JOB_BYTES) return NO_SLOT;
    this.free.pop();
    const { words, numbers, text } = this.memory;
    const at = slot * SLOT_WORDS;
    Atomics.add(words, at + SEQUENCE, 1);
    words[at + TAKEN] = 1;
    words[at + STORE] = store;
    words[at + IDX] = NO_STEP;
    words[at + UNRECORDED] = 0;
    words[at + REPLY_LENGTH] = reply.length;
    numbers[slot * SLOT_NUMBERS + NUMBERS_AT + TAKEN_AT] = nowMs;
    text.write(jobId, slot * SLOT_BYTES + JOB_AT, 'latin1');
    text.write(reply, slot * SLOT_BYTES + REPLY_AT, 'latin1');
    Atomics.add(words, at + SEQUENCE, 1);
    return slot;
  }

  /** A step of the turn begins now. */
  began(slot: number, step: BegunStep, nowMs: number): void {
    if (slot === NO_SLOT) return;
    const { words, numbers, bytes } = this.memory;
    const at = slot * SLOT_WORDS;
    Atomics.add(words, at + SEQUENCE, 1);
    words[at + RUN] = step.run;
    words[at + HEAD] = step.head;
    words[at + IDX] = step.idx;
    words[at + RUNS] = 1;
    words[at + UNRECORDED] = step.unrecorded ? 1 : 0;
    words[at + LABEL_LENGTH] = step.label.length;
    bytes.set(step.label, slot * SLOT_BYTES + LABEL_AT);
    const numbersAt = slot * SLOT_NUMBERS + NUMBERS_AT;
    numbers[numbersAt + STARTED_AT] = nowMs;
    numbers[numbersAt + STARTED_AT_MICROS] = step.startedAt;
    numbers[numbersAt + TIMEOUT] = step.timeoutMs ?? NO_TIMEOUT;
    Atomics.add(words, at + SEQUENCE, 1);
  }

  /** The begin of the turn's step is, or is about to be, recorded by the main thread. */
  recorded(slot: number): void {
    if (slot !== NO_SLOT) this.memory.words[slot * SLOT_WORDS + UNRECORDED] = 0;
  }

  /** The step's handler has ended. */
  ended(slot: number): void {
    if (slot !== NO_SLOT) this.memory.words[slot * SLOT_WORDS + RUNS] = 0;
  }

  /** The turn has ended. */
  give(slot: number): void {
    if (slot === NO_SLOT) return;
    this.memory.words[slot * SLOT_WORDS + TAKEN] = 0;
    this.free.push(slot);
  }
}

/** The other thread's side. */
export class TurnSlotReader {
  private readonly memory: SlotMemory;

  constructor(buffer: SharedArrayBuffer) {
    this.memory = new SlotMemory(buffer);
  }

  /** How many turns are at work. */
  count(): number {
    let count = 0;
    for (let slot = 0; slot < this.memory.count; slot += 1) count += this.memory.words[slot * SLOT_WORDS + TAKEN] ?? 0;
    return count;
  }

  /** The turns at work: each whole as it was at one moment. One that is just being written may be left out. */
  *turns(): Generator<WatchedTurn> {
    for (let slot = 0; slot < this.memory.count; slot += 1) {
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
    const { words, bytes } = this.memory;
    const at = slot * SLOT_WORDS;
    for (let tries = 0; tries < READ_TRIES; tries += 1) {
      const sequence = Atomics.load(words, at + SEQUENCE);
      if (sequence % 2 !== 0) continue;
      if (words[at + TAKEN] !== 1) return null;
      const copy = bytes.slice(slot * SLOT_BYTES, (slot + 1) * SLOT_BYTES);
      if (Atomics.add(words, at + SEQUENCE, 0) === sequence) return decode(slot, copy);
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
    reply: textAt(bytes, REPLY_AT, words[REPLY_LENGTH] ?? 0),
    store: words[STORE] ?? 0,
    jobId: textAt(bytes, JOB_AT, JOB_BYTES),
    takenAtMs: numbers[TAKEN_AT] ?? 0,
    step: words[IDX] === NO_STEP ? null : decodeStep(bytes, words, numbers),
  };
}

function decodeStep(bytes: Uint8Array, words: Int32Array, numbers: Float64Array): WatchedStep {
  const [name = '', handler = ''] = textAt(bytes, LABEL_AT, words[LABEL_LENGTH] ?? 0).split('\n');
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

const textAt = (bytes: Uint8Array, from: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, length).toString('latin1');
