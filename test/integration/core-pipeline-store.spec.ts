import { PipelineStore } from '#shared/store/jobs/pipeline-store';
import { CHAIN, DIAMOND, pipelineOf, stepNamed } from '../support/drafts';
import { type CoreStage, openStage } from './core-stage';

let stage: CoreStage;

beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.close());

const store = async (maxKnown?: number): Promise<PipelineStore> => new PipelineStore(await stage.connect(1), maxKnown);
const rows = async (): Promise<number> =>
  (await stage.server.query<{ n: number }>('SELECT count(*)::int AS n FROM pipelines'))[0]?.n ?? -1;

describe('PipelineStore', () => {
  it('keeps a definition once, however often and by whomever it is saved, in whatever order of its fields', async () => {
    const reordered = { steps: DIAMOND.steps, source: DIAMOND.source, description: '', name: DIAMOND.name };
    const [one, other] = [await store(), await store()];
    const saved = await Promise.all([one.save(DIAMOND), other.save(DIAMOND), other.save(reordered), one.save(DIAMOND)]);
    expect(new Set(saved.map(({ hash }) => hash)).size).toBe(1);
    expect(await rows()).toBe(1);
    expect((await one.save(CHAIN)).hash).not.toBe(saved[0]?.hash);
    expect(await rows()).toBe(2);
  });

  it('gives back in another process what was saved, with its graph', async () => {
    const options = { text: 'ä "quoted" \\ 😀', list: [1.5, null, true], deep: { a: {} } };
    const definition = pipelineOf([
      stepNamed('a', { options, resources: { gpu: 2 }, timeout_ms: 5 }),
      stepNamed('b', { needs: ['a'] }),
    ]);
    const { hash } = await (await store()).save(definition);
    const found = await (await store()).get(hash);
    expect(found).toMatchObject({ hash, definition });
    expect(found.graph.needs).toEqual([0n, 1n]);
  });

  it('tells apart definitions that differ in anything at all', async () => {
    const variants = [
      pipelineOf([stepNamed('a')]),
      pipelineOf([stepNamed('a')], 'other'),
      pipelineOf([stepNamed('a', { max_retries: 3 })]),
      pipelineOf([stepNamed('a', { options: { a: 1 } })]),
      pipelineOf([stepNamed('a', { options: { a: '1' } })]),
      pipelineOf([stepNamed('a'), stepNamed('b')]),
      pipelineOf([stepNamed('b'), stepNamed('a')]),
    ];
    const pipelines = await store();
    const hashes = new Set<string>();
    for (const variant of variants) hashes.add((await pipelines.save(variant)).hash);
    expect(hashes.size).toBe(variants.length);
  });

  it('reads a definition once, and knows it from then on', async () => {
    const { hash } = await (await store()).save(CHAIN);
    const pipelines = await store();
    expect(pipelines.peek(hash)).toBeUndefined();
    const found = await pipelines.find(hash);
    expect(pipelines.peek(hash)).toBe(found);
    expect(await pipelines.get(hash)).toBe(found);
  });

  it('knows no more than so many, and reads again what it has dropped', async () => {
    const pipelines = await store(2);
    const hashes: string[] = [];
    for (const name of ['x', 'y', 'z']) hashes.push((await pipelines.save(pipelineOf([stepNamed('a')], name))).hash);
    expect(hashes.map((hash) => pipelines.peek(hash) !== undefined)).toEqual([false, true, true]);
    expect((await pipelines.get(hashes[0] ?? '')).definition.name).toBe('x');
  });

  it('says what it does not have', async () => {
    const pipelines = await store();
    expect(await pipelines.find('unheard of')).toBeNull();
    await expect(pipelines.get('unheard of')).rejects.toThrow('pipeline unheard of is not stored');
  });
});
