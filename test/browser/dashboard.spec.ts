import { statSync } from 'node:fs';
import { BrowserStage, COLOR_SCHEMES, describeInBrowser, WIDTHS } from '../support/browser';
import { PIPELINES, type StageJobs, submitStageJobs } from './stage-jobs';

const STAGE_LIMIT_MS = 180_000;
jest.setTimeout(120_000);

type Screen = readonly [name: string, path: (jobs: StageJobs) => string];
const SCREENS: readonly Screen[] = [
  ['overview', () => '/'],
  ['jobs', () => '/jobs'],
  ['job-completed', ({ completed }) => `/jobs/${completed}`],
  ['job-failed', ({ failed }) => `/jobs/${failed}`],
  ['job-retrying', ({ retrying }) => `/jobs/${retrying}`],
  ['scheduled', () => '/scheduled'],
  ['dead-letters', () => '/dead-letters'],
  ['dead-letter-group', ({ fingerprint }) => `/dead-letters/${fingerprint}`],
  ['resources', () => '/resources'],
  ['submit', () => '/submit'],
];

describeInBrowser('the dashboard', (program) => {
  let stage: BrowserStage | undefined;
  let jobs: StageJobs;

  beforeAll(async () => {
    stage = await BrowserStage.start(program, { pipelines: PIPELINES });
    jobs = await submitStageJobs(stage.stack);
  }, STAGE_LIMIT_MS);
  afterAll(() => stage?.stop(), STAGE_LIMIT_MS);

  /** The stage, which is there once the tests run. */
  const onStage = (): BrowserStage => {
    if (!stage) throw new Error('the stage was not set up');
    return stage;
  };

  describe.each(SCREENS)('%s', (name, path) => {
    it.each(WIDTHS)(
      'opens at a width of %i without an error, a breach of the policy or a call of another host',
      async (width) => {
        const { page, troubles, close } = await onStage().openPage(path(jobs), { width });
        expect(await page.locator('h1').count()).toBe(1);
        expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        await close();
        expect(troubles).toEqual([]);
      },
    );

    it.each(COLOR_SCHEMES)('%s: axe finds nothing serious', async (colorScheme) => {
      const { page, close } = await onStage().openPage(path(jobs), { colorScheme });
      expect(await onStage().axe(page)).toEqual([]);
      await close();
    });

    it('has its picture taken', async () => {
      const files = await onStage().screenshots(name, path(jobs));
      expect(files.map((file) => statSync(file).size > 1_000)).toEqual([true, true, true, true]);
    });
  });

  it('tells of an error, a breach of the policy and a call of another host', async () => {
    const { page, troubles, close } = await onStage().openPage('/scheduled');
    await page.evaluate(`
      console.error('a test');
      document.body.append(Object.assign(document.createElement('img'), { src: 'http://other.invalid/a.png' }));
      setTimeout(() => { throw new Error('thrown') });
      new Promise((done) => document.addEventListener('securitypolicyviolation', done));`);
    await page.evaluate('fetch("http://elsewhere.invalid/").catch(() => undefined)');
    await close();
    const all = troubles.join('\n');
    for (const part of ['console: a test', 'script: Error: thrown', 'policy: img-src refuses', 'elsewhere.invalid']) {
      expect(all).toContain(part);
    }
  });
});
