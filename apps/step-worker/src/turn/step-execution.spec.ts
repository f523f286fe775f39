import { z } from 'zod';
import type { LogLevel, StepContext, StepHandler } from '#shared/contracts/handler';
import type { JsonObject } from '#shared/domain/json';
import { PermanentError, TransientError } from '#shared/domain/step-errors';
import { type AttemptEnd, type AttemptRequest, AttemptStopped, StepExecution } from './step-execution';

type Run = (context: StepContext<unknown>) => Promise<unknown>;

interface Tried {
  readonly execution: StepExecution;
  readonly end: Promise<AttemptEnd>;
  readonly progress: [number, string | null][];
  readonly lines: [LogLevel, string][];
  stuck: number;
}

function attempt(run: Run, over: Partial<AttemptRequest> = {}): Tried {
  const handler: StepHandler<unknown> = {
    definition: { name: 'tried', description: '', options: z.object({}), jobOptions: [], repeatable: false },
    run: run as StepHandler<unknown>['run'],
  };
  const progress: [number, string | null][] = [];
  const lines: [LogLevel, string][] = [];
  const found = { progress, lines, stuck: 0 };
  const execution = new StepExecution({
    handler,
    jobId: 'job-1',
    step: 'fetch',
    attempt: 3,
    input: { source: null, source_type: null, branch: null, commit: null, input: { a: 1 } },
    outputs: { before: { b: 2 } },
    options: { c: 3 },
    timeoutMs: null,
    stuckAfterMs: 30_000,
    progress: (percent, message) => progress.push([percent, message]),
    log: (level, message) => lines.push([level, message]),
    onStuck: () => (found.stuck += 1),
    ...over,
  });
  return Object.assign(found, { execution, end: execution.run() });
}

/** A handler may throw anything. */
const throwing = (error: unknown): Run => {
  return async () => {
    throw error as Error;
  };
};

/** A handler that ends when the test says so. */
function held(): { run: Run; resolve: (output: JsonObject) => void; reject: (error: Error) => void } {
  let resolve: (output: JsonObject) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const ending = new Promise<JsonObject>((ok, bad) => {
    resolve = ok;
    reject = bad;
  });
  return { run: () => ending, resolve, reject };
}

/** Whether the promise has settled once all that is due now has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await jest.advanceTimersByTimeAsync(0);
  return settled;
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('StepExecution, left alone', () => {
  it('tells the handler what it needs to know', async () => {
    const seen: unknown[] = [];
    await attempt(async (context) => {
      const { jobId, step, attempt: number, idempotencyKey, input, outputs, options } = context;
      seen.push(jobId, step, number, idempotencyKey, input.input, outputs, options);
    }).end;
    expect(seen).toEqual(['job-1', 'fetch', 3, 'job-1:fetch', { a: 1 }, { before: { b: 2 } }, { c: 3 }]);
  });

  it('ends with the output; nothing is an empty one', async () => {
    await expect(attempt(async () => ({ files: 3 })).end).resolves.toEqual({ kind: 'completed', output: { files: 3 } });
    await expect(attempt(async () => undefined).end).resolves.toEqual({ kind: 'completed', output: {} });
    await expect(attempt(async () => null).end).resolves.toEqual({ kind: 'completed', output: {} });
  });

  it.each([[[1, { a: null }]], ['text'], [''], [3], [0], [false]])(
    'takes any JSON for an output: %j',
    async (output) => {
      await expect(attempt(async () => output).end).resolves.toEqual({ kind: 'completed', output });
    },
  );

  it('passes on progress within 0…100 and log lines, as long as it runs', async () => {
    let context: StepContext<unknown> | undefined;
    const tried = attempt(async (given) => {
      context = given;
      given.progress(-5);
      given.progress(40.5, 'half');
      given.progress(1e9);
      given.progress(Number.NaN);
      given.progress(Infinity);
      given.log('warn', 'hm');
    });
    await tried.end;
    context?.progress(50);
    context?.log('info', 'too late');
    expect(tried.progress).toEqual([
      [0, null],
      [40.5, 'half'],
      [100, null],
    ]);
    expect(tried.lines).toEqual([['warn', 'hm']]);
  });
});

describe('StepExecution, whose output is not one', () => {
  const bad = (message: string): AttemptEnd => ({
    kind: 'failed',
    outcome: 'failed',
    error: { message, kind: 'permanent', code: 'bad_output' },
    leastMs: 0,
  });
  const circular: Record<string, unknown> = {};
  circular.self = circular;

  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a circle', circular],
    ['a bigint', { n: 1n }],
  ])('fails for good: %s', async (_, output) => {
    await expect(attempt(async () => output).end).resolves.toEqual(bad('the output is not JSON'));
  });

  it.each([
    ['plain', 'x', 1],
    ['of several bytes a character', 'é', 2],
  ])('may be 1 MiB and no byte more: %s', async (_, character, bytes) => {
    const limit = 1024 * 1024;
    const room = limit - '{"a":""}'.length;
    const fits = { a: character.repeat(Math.floor(room / bytes)) };
    await expect(attempt(async () => fits).end).resolves.toEqual({ kind: 'completed', output: fits });
    const over = { a: `${character.repeat(Math.floor(room / bytes))}yy` };
    const size = Buffer.byteLength(JSON.stringify(over));
    const message = `the output has ${size} bytes of JSON; ${limit} are allowed`;
    await expect(attempt(async () => over).end).resolves.toEqual(bad(message));
  });
});

describe('StepExecution, whose output is deep', () => {
  const nested = (levels: number): unknown =>
    JSON.parse('[{"a":'.repeat(levels / 2) + '"]["' + '}]'.repeat(levels / 2));

  it('may be as deep as an input and no deeper; brackets in texts do not count', async () => {
    await expect(attempt(async () => nested(64)).end).resolves.toMatchObject({ kind: 'completed' });
    await expect(attempt(async () => nested(66)).end).resolves.toMatchObject({
      error: { message: 'the output is nested more than 64 levels deep', kind: 'permanent', code: 'bad_output' },
    });
    const text = { a: '"['.repeat(200), b: '\\\\'.repeat(99) };
    await expect(attempt(async () => text).end).resolves.toEqual({ kind: 'completed', output: text });
  });
});

describe('StepExecution, whose handler throws', () => {
  const endOf = (error: unknown): Promise<AttemptEnd> => attempt(throwing(error)).end;

  const thrown = [
    { error: new PermanentError('no such file', 'source_missing'), kind: 'permanent', code: 'source_missing' },
    { error: new PermanentError('gone'), kind: 'permanent', code: null },
    { error: new TransientError('busy', 'http_503'), kind: 'transient', code: 'http_503' },
    { error: new Error('boom'), kind: 'transient', code: null },
    { error: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }), kind: 'transient', code: 'ECONNREFUSED' },
    { error: Object.assign(new Error('odd'), { code: 42 }), kind: 'transient', code: null },
  ];

  it.each(thrown)('$error.message: $kind, $code', async ({ error, kind, code }) => {
    const { message } = error;
    await expect(endOf(error)).resolves.toEqual({
      ...{ kind: 'failed', outcome: 'failed', leastMs: 0 },
      error: { message, kind, code },
    });
  });

  it('synchronously: the same', async () => {
    const run = (): never => {
      throw new PermanentError('at once');
    };
    await expect(attempt(run).end).resolves.toMatchObject({ error: { message: 'at once', kind: 'permanent' } });
  });

  it.each([
    [1_500, 1_500],
    [0.5, 0.5],
    [-3, 0],
    [Number.NaN, 0],
    [Infinity, 0],
  ])('hands on the least delay that it asked for: %s', async (asked, leastMs) => {
    await expect(endOf(new TransientError('busy', undefined, asked))).resolves.toMatchObject({ leastMs });
  });

  it('waits at most a century, which a row can still hold', async () => {
    const end = await endOf(new TransientError('busy', undefined, 1e300));
    expect(end).toMatchObject({ leastMs: 100 * 365 * 86_400_000 });
  });

  it.each([
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', 'just words', 'just words'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an error whose message is none', Object.assign(new Error(), { message: 42 }), '42'],
  ])('whatever it is, that is a failure to try again: %s', async (_, thrown, message) => {
    await expect(endOf(thrown)).resolves.toMatchObject({
      kind: 'failed',
      error: { message, kind: 'transient', code: null },
    });
  });

  it.each([
    ['what has no text', Object.create(null)],
    [
      'what throws when it is looked at',
      new Proxy(new Error('x'), {
        get: () => {
          throw new Error('hands off');
        },
      }),
    ],
  ])('and what cannot even be told, is a failure too: %s', async (_, thrown) => {
    await expect(endOf(thrown)).resolves.toMatchObject({ kind: 'failed', error: { kind: 'transient', code: null } });
  });

  it('keeps the first 4,000 characters of what it said', async () => {
    const end = await endOf(new Error('x'.repeat(10_000)));
    expect(end.kind === 'failed' && end.error.message.length).toBe(4_000);
  });
});

describe('StepExecution, out of time', () => {
  const timedOut: AttemptEnd = {
    ...{ kind: 'failed', outcome: 'timeout', leastMs: 0 },
    error: { message: 'the attempt took longer than its time-out of 500 ms', kind: 'timeout', code: 'timeout' },
  };

  it('tells the handler, and ends only when the handler has', async () => {
    const handler = held();
    const tried = attempt(handler.run, { timeoutMs: 500 });
    const { signal } = tried.execution;
    await jest.advanceTimersByTimeAsync(499);
    expect(signal.aborted).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(signal.reason).toMatchObject({ name: 'AttemptStopped', reason: 'timeout' });
    await jest.advanceTimersByTimeAsync(60_000);
    expect(await isSettled(tried.end)).toBe(false);
    handler.reject(new PermanentError('aborted'));
    await expect(tried.end).resolves.toEqual(timedOut);
  });

  it('is completed when the handler completes all the same', async () => {
    const handler = held();
    const tried = attempt(handler.run, { timeoutMs: 500 });
    await jest.advanceTimersByTimeAsync(600);
    handler.resolve({ late: true });
    await expect(tried.end).resolves.toEqual({ kind: 'completed', output: { late: true } });
  });

  it('has no part in an attempt that ended in time', async () => {
    const tried = attempt(async () => ({}), { timeoutMs: 500 });
    const { signal } = tried.execution;
    await tried.end;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(signal.aborted).toBe(false);
  });
});

describe('StepExecution, told to stop', () => {
  it.each(['drain', 'stale'] as const)(
    '%s: a handler that gives up counts for nothing, whatever it throws',
    async (reason) => {
      for (const error of [new PermanentError('x'), new TransientError('y'), new Error('z')]) {
        const handler = held();
        const tried = attempt(handler.run, { timeoutMs: 500 });
        tried.execution.stop(new AttemptStopped(reason));
        expect(tried.execution.signal.reason).toMatchObject({ reason });
        handler.reject(error);
        await expect(tried.end).resolves.toEqual({ kind: 'stopped', reason });
      }
    },
  );

  it('what is completed in spite of a drain is completed; what another worker owns is not', async () => {
    for (const [reason, kind] of [
      ['drain', 'completed'],
      ['stale', 'stopped'],
    ] as const) {
      const handler = held();
      const tried = attempt(handler.run);
      tried.execution.stop(new AttemptStopped(reason));
      handler.resolve({});
      await expect(tried.end).resolves.toMatchObject({ kind });
    }
  });

  it('keeps to the first reason', async () => {
    const handler = held();
    const tried = attempt(handler.run, { timeoutMs: 500 });
    tried.execution.stop(new AttemptStopped('drain'));
    await jest.advanceTimersByTimeAsync(500);
    tried.execution.stop(new AttemptStopped('stale'));
    expect(tried.execution.signal.reason).toMatchObject({ reason: 'drain' });
    handler.reject(new Error('x'));
    await expect(tried.end).resolves.toEqual({ kind: 'stopped', reason: 'drain' });
  });

  it('changes nothing once it has ended', async () => {
    const tried = attempt(async () => ({}));
    await tried.end;
    tried.execution.stop(new AttemptStopped('drain'));
    expect(tried.execution.signal.aborted).toBe(false);
  });

  it('says when the handler goes on for half a minute all the same', async () => {
    const handler = held();
    const tried = attempt(handler.run);
    tried.execution.stop(new AttemptStopped('drain'));
    await jest.advanceTimersByTimeAsync(29_999);
    expect(tried.stuck).toBe(0);
    await jest.advanceTimersByTimeAsync(1);
    expect(tried.stuck).toBe(1);
    handler.resolve({});
    await tried.end;
  });

  it('says nothing of one that ended in that time', async () => {
    const handler = held();
    const tried = attempt(handler.run);
    tried.execution.stop(new AttemptStopped('drain'));
    handler.resolve({});
    await tried.end;
    await jest.advanceTimersByTimeAsync(60_000);
    expect(tried.stuck).toBe(0);
  });
});

describe('StepExecution.signal', () => {
  it('is made only when somebody asks for it, and then once', async () => {
    const made = jest.spyOn(globalThis, 'AbortController');
    try {
      await attempt(async () => ({}), { timeoutMs: 500 }).end;
      expect(made).not.toHaveBeenCalled();
      await attempt(async (context) => void expect(context.signal).toBe(context.signal)).end;
      expect(made).toHaveBeenCalledTimes(1);
    } finally {
      made.mockRestore();
    }
  });

  it('is aborted already, with the reason, when the stop came first', async () => {
    const handler = held();
    const tried = attempt(handler.run);
    tried.execution.stop(new AttemptStopped('stale'));
    expect(tried.execution.signal.aborted).toBe(true);
    expect(tried.execution.signal.reason).toMatchObject({ reason: 'stale' });
    handler.resolve({});
    await tried.end;
  });
});
