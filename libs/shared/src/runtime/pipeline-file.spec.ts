import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPipelineFile, readPipelineText } from '#shared/runtime/pipeline-file';
import { PipelineConfigError } from '#shared/runtime/pipeline-file/pipeline-config-error';

const read = (text: string) => readPipelineText(text, 'p.yml');
const stepsOf = (text: string, pipeline: string) => read(text).pipelines.get(pipeline)?.steps ?? [];

describe('a pipeline file that is right', () => {
  test('fills in every default', () => {
    const catalog = read('pipelines:\n  one:\n    steps:\n      - name: noop\n');
    expect(catalog.pipelines.get('one')).toEqual({
      name: 'one',
      description: '',
      source: 'optional',
      steps: [
        {
          name: 'noop',
          uses: 'noop',
          needs: [],
          queue: 'default',
          max_retries: 3,
          back_off: { strategy: 'fixed', initial_ms: 10_000, factor: 2, max_ms: 300_000, jitter: 0 },
          timeout_ms: null,
          concurrency: null,
          resources: {},
          isolation: 'inline',
          options: { duration_ms: 0, fail_attempts: 0, fail_with: 'transient', output: {} },
        },
      ],
    });
    expect(catalog.queues).toEqual(['default']);
    expect(catalog.pools.size).toBe(0);
  });

  test('a step overrides the defaults for all', () => {
    const [first, second] = stepsOf(
      `
retry: { max_retries: 7, back_off: { strategy: linear, initial: 500ms, max: 1h, jitter: 0.2 } }
resources: { llm: { max_tokens: 4 } }
pipelines:
  p:
    steps:
      - { name: a, uses: noop, queue: slow, timeout: 10m, concurrency: 4, resources: { llm: 2 }, isolation: process }
      - { name: b, uses: noop, needs: [], max_retries: 0, back_off_seconds: 600 }
`,
      'p',
    );
    expect(first).toMatchObject({ queue: 'slow', timeout_ms: 600_000, concurrency: 4, resources: { llm: 2 } });
    expect(first).toMatchObject({ isolation: 'process', max_retries: 7 });
    expect(first?.back_off).toEqual({ strategy: 'linear', initial_ms: 500, factor: 2, max_ms: 3_600_000, jitter: 0.2 });
    expect(second).toMatchObject({ needs: [], max_retries: 0 });
    expect(second?.back_off).toMatchObject({ strategy: 'fixed', initial_ms: 600_000, max_ms: 600_000 });
  });

  test('a step needs the one before it unless it says otherwise', () => {
    const steps = stepsOf(
      'pipelines: { p: { steps: [{ name: a, uses: noop }, { name: b, uses: noop }, { name: c, uses: noop, needs: [a] }, { name: d, uses: noop, needs: [] }] } }',
      'p',
    );
    expect(steps.map(({ needs }) => needs)).toEqual([[], ['a'], ['a'], []]);
  });

  test('the short form makes the pipeline "default", its other keys options', () => {
    const catalog = read(`
retry:
  max_retries: 2
  back_off_seconds: 10
steps:
  - name: filesystem
    concurrency: 5
    ignore_patterns: ['*.log']
  - name: documentation
    max_retries: 0
    back_off_seconds: 1.5
`);
    expect([...catalog.pipelines.keys()]).toEqual(['default']);
    const [filesystem, documentation] = catalog.pipelines.get('default')?.steps ?? [];
    expect(filesystem).toMatchObject({ concurrency: 5, max_retries: 2, back_off: { initial_ms: 10_000 } });
    expect(filesystem?.options).toMatchObject({ ignore_patterns: ['*.log'] });
    expect(documentation).toMatchObject({ needs: ['filesystem'], max_retries: 0, back_off: { initial_ms: 1_500 } });
  });

  test('pools, and the queues of all steps', () => {
    const catalog = read(`
resources: { llm: { max_tokens: 4 }, disk: { max_tokens: 1 } }
pipelines:
  a: { steps: [{ name: noop, queue: z }] }
  b: { steps: [{ name: noop, queue: big }, { name: n2, uses: noop }, { name: n3, uses: noop, queue: z }] }
`);
    expect([...catalog.pools]).toEqual([
      ['llm', 4],
      ['disk', 1],
    ]);
    expect(catalog.queues).toEqual(['big', 'default', 'z']);
  });

  test('anchors and aliases', () => {
    const steps = stepsOf(
      'pipelines:\n  p:\n    steps:\n      - { name: a, uses: noop, options: &o { duration_ms: 5 } }\n      - { name: b, uses: noop, options: *o }\n',
      'p',
    );
    expect(steps.map(({ options }) => options['duration_ms'])).toEqual([5, 5]);
  });

  test('63 steps', () => {
    const steps = Array.from({ length: 63 }, (_, index) => `{ name: s${index}, uses: noop }`).join(', ');
    expect(stepsOf(`pipelines: { p: { steps: [${steps}] } }`, 'p')).toHaveLength(63);
  });

  test('the one that ships', async () => {
    const catalog = await loadPipelineFile(join(__dirname, '../../../../pipeline_config.yml'));
    const repository = catalog.pipelines.get('repository');
    expect(repository?.source).toBe('required');
    expect(repository?.steps.map(({ name, uses, needs }) => [name, uses, needs])).toEqual([
      ['filesystem', 'filesystem', []],
      ['documentation', 'documentation', ['filesystem']],
    ]);
    expect(catalog.pipelines.get('example')?.steps.map(({ uses }) => uses)).toEqual(['noop', 'noop', 'noop']);
  });
});

describe('a pipeline file that cannot be read', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-pipeline-file-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const faultOf = async (path: string): Promise<string> => {
    const error: unknown = await loadPipelineFile(path).catch((reason: unknown) => reason);
    if (!(error instanceof PipelineConfigError)) throw error;
    return error.message;
  };

  test('says which, and how to name another', async () => {
    const path = join(folder, 'none.yml');
    expect(await faultOf(path)).toBe(
      `${path}:1: expected a pipeline file (SLUICE_CONFIG or --config says which), found no such file`,
    );
    expect(await faultOf(folder)).toContain('found a folder');
  });

  test('takes a file of up to 1 MiB', async () => {
    const path = join(folder, 'large.yml');
    const text = 'pipelines: { p: { steps: [{ name: noop }] } }\n';
    await writeFile(path, text + '#'.repeat(1_048_576 - text.length));
    expect((await loadPipelineFile(path)).pipelines.size).toBe(1);
    await writeFile(path, text + '#'.repeat(1_048_577 - text.length));
    expect(await faultOf(path)).toContain('expected a file of at most 1 MiB, found a larger one');
    expect(await faultOf('/dev/zero')).toContain('expected a file of at most 1 MiB');
  });

  test('says that it is not UTF-8', async () => {
    const path = join(folder, 'latin.yml');
    await writeFile(path, Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    expect(await faultOf(path)).toContain('expected UTF-8 text, found other bytes');
  });

  test('says that it may not be read', async () => {
    const path = join(folder, 'secret.yml');
    await writeFile(path, '');
    await chmod(path, 0);
    const isRoot = process.getuid?.() === 0;
    expect(await faultOf(path)).toContain(isRoot ? 'found an empty file' : 'found one that may not be read');
  });
});
