/** One place in an input that is wrong. `path` is dotted, `''` for the input as a whole. */
export interface InputFault {
  readonly path: string;
  readonly message: string;
}

/** What was asked for breaks a rule that the asker can know: say where and why. */
export class InvalidInput extends Error {
  override readonly name = 'InvalidInput';

  constructor(
    readonly errors: readonly InputFault[],
    message = 'The request is not valid.',
  ) {
    super(message);
  }
}

/** There is nothing of that name or id. */
export class NotFound extends Error {
  override readonly name = 'NotFound';

  constructor(
    readonly what: string,
    readonly id: string,
  ) {
    super(`There is no ${what} ${JSON.stringify(id)}.`);
  }
}

/** The state that the thing is in forbids it. */
export class Conflict extends Error {
  override readonly name = 'Conflict';
}

/** A part that the call needs is away for now; the same call may work later. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';

  /** @param retryAfterSeconds when to try again */
  constructor(
    message: string,
    readonly retryAfterSeconds = 1,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
