import { ANONYMOUS } from './access-rules';

/** What a call was about, for the log. */
export interface CallNote {
  readonly job?: string;
  /** Where a cancel has found or left it. */
  readonly job_status?: string;
  readonly from_step?: string;
  /** The new start of a job that was rescheduled. */
  readonly eta?: string | null;
  /** A recurring schedule, and which of its fields were given. */
  readonly schedule?: string;
  readonly changed?: readonly string[];
  /** A batch: how many jobs were stored, the first and the last of them. */
  readonly jobs?: { readonly count: number; readonly first: string; readonly last: string };
  /** Dead letters: which were meant, and what became of them. */
  readonly filter?: object;
  readonly redriven?: { readonly matched: number; readonly done: number; readonly skipped: number };
}

/** What is known of a call besides its request, as long as the request lives. */
export class CallNotes {
  private readonly callers = new WeakMap<object, string>();
  private readonly notes = new WeakMap<object, CallNote>();

  setCaller(request: object, name: string): void {
    this.callers.set(request, name);
  }

  callerOf(request: object): string {
    return this.callers.get(request) ?? ANONYMOUS;
  }

  /** Says what the call did. */
  set(request: object, note: CallNote): void {
    this.notes.set(request, note);
  }

  of(request: object): CallNote {
    return this.notes.get(request) ?? {};
  }
}
