/** The steps of the pipelines that have effects outside, by their index. */
export const EFFECT_STEPS = ['one', 'two', 'three'];

/** It is told on its standard input which attempt this is. */
const LOGS_AND_FAILS_ONCE = `echo said >&2; echo "::progress 40 half"; grep -q "\\"attempt\\":1," && exit 1; echo {}`;

/** What the jobs of all rows go through. `effectsUrl`: where steps have effects outside of Sluice. */
export const pipelinesWith = (effectsUrl: string): string => `
retry: { max_retries: 0 }
pipelines:
  three:
    description: steps that take a moment each, so that a fault finds many of them at work
    steps:
      - { name: one, uses: noop, options: { duration_ms: 10 } }
      - { name: two, uses: noop, options: { duration_ms: 10 } }
      - { name: three, uses: noop, options: { duration_ms: 10 } }
  claimed:
    description: limited steps, which are claimed before they begin; retries that a crash must not use up
    steps:
      - { name: one, uses: noop, concurrency: 500, max_retries: 3, options: { duration_ms: 5 } }
      - { name: two, uses: noop, concurrency: 500, max_retries: 3, options: { duration_ms: 5 } }
      - { name: three, uses: noop, concurrency: 500, max_retries: 3, options: { duration_ms: 5 } }
  outside:
    description: every step calls a server, and may not be repeated
    steps:
${EFFECT_STEPS.map((name) => `      - { name: ${name}, uses: http, options: { url: "${effectsUrl}" } }`).join('\n')}
  outside_claimed:
    description: the same, claimed before they begin
    steps:
${EFFECT_STEPS.map((name) => `      - { name: ${name}, uses: http, concurrency: 500, max_retries: 3, options: { url: "${effectsUrl}" } }`).join('\n')}
  slow: { steps: [{ name: one, uses: noop, options: { duration_ms: 1500 } }] }
  slow_claimed: { steps: [{ name: one, uses: noop, concurrency: 10, options: { duration_ms: 1500 } }] }
  short:
    steps:
      - { name: one, uses: noop, options: { duration_ms: 40 } }
      - { name: two, uses: noop, options: { duration_ms: 40 } }
  long: { steps: [{ name: long, uses: noop, options: { duration_ms: 2500 } }] }
  good:
    description: outlasts what a killer takes to kill, so that it is hit with it
    steps: [{ name: one, uses: noop, options: { duration_ms: 400 } }]
  killer: { steps: [{ name: one, uses: command, options: { command: [sh, -c, 'sleep 0.1; kill -9 $PPID'] } }] }
  waiting:
    description: the wait is longer than a worker may wait itself, and than the test takes
    steps:
      - { name: one, uses: noop, max_retries: 1, back_off_seconds: 120, options: { fail_attempts: 1 } }
  retried_soon:
    description: the worker waits the back-off out itself
    steps:
      - { name: one, uses: command, max_retries: 1, back_off_seconds: 0.6, options: { command: [sh, -c, '${LOGS_AND_FAILS_ONCE}'] } }
  retried_later:
    description: the back-off is longer than a worker waits itself with these time-outs (HELD_TIMES)
    steps:
      - { name: one, uses: noop, max_retries: 1, back_off_seconds: 2.7, options: { fail_attempts: 1 } }
  refused: { steps: [{ name: one, uses: noop, options: { fail_attempts: 1, fail_with: permanent } }] }
  single: { steps: [{ name: one, uses: noop }] }
  fresh: { steps: [{ name: one, uses: noop }, { name: two, uses: noop }] }
`;
