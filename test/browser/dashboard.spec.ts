import { BrowserStage, COLOR_SCHEMES, describeInBrowser, STAGE_LIMIT_MS, WIDTHS } from '../support/browser';
import { PIPELINES, type StageJobs, submitStageJobs } from './stage-jobs';

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
    stage = await BrowserStage.start(program, { pipelines: PIPELINES, env: { SLUICE_GRACE: '1s' } });
    jobs = await submitStageJobs(stage.stack);
  }, STAGE_LIMIT_MS);
  afterAll(() => stage?.stop(), STAGE_LIMIT_MS);

  /** The stage, which is there once the tests run. */
  const onStage = (): BrowserStage => {
    if (!stage) throw new Error('the stage was not set up');
    return stage;
  };

  describe.each(SCREENS)('%s', (name, path) => {
    it.each(WIDTHS)('is sound, fits and is accessible, by day and by night, %i wide', async (width) => {
      const opened = await onStage().openPage(path(jobs), { width });
      const { page, troubles, close } = opened;
      expect(await page.locator('h1').count()).toBe(1);
      expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      for (const colorScheme of COLOR_SCHEMES) {
        await page.emulateMedia({ colorScheme });
        await onStage().screenshot(opened, `${name}-${colorScheme}`);
        // Each width once and each theme once: axe takes longer than all the rest.
        if (colorScheme === (width > 400 ? 'light' : 'dark')) expect(await onStage().axe(page)).toEqual([]);
      }
      expect(troubles).toEqual([]);
      await close();
    });
  });

  it('would be found to have an error, a breach of the policy, a call of another host, a button without a name', async () => {
    const { page, troubles, close } = await onStage().openPage('/scheduled');
    await page.evaluate(`
      console.error('a test');
      document.body.append(Object.assign(document.createElement('img'), { alt: '', src: 'http://other.invalid/a.png' }));
      setTimeout(() => { throw new Error('thrown') });
      new Promise((done) => document.addEventListener('securitypolicyviolation', done));`);
    await page.evaluate('fetch("http://elsewhere.invalid/").catch(() => undefined)');
    await page.evaluate('document.body.append(document.createElement("button"))');
    expect((await onStage().axe(page)).map(({ rule }) => rule)).toEqual(['button-name']);
    await close();
    const all = troubles.join('\n');
    for (const part of ['console: a test', 'script: Error: thrown', 'policy: img-src refuses', 'elsewhere.invalid']) {
      expect(all).toContain(part);
    }
  });
});
