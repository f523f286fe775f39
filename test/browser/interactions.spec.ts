import type { Page } from 'playwright-core';
import type { JobPage, JobView } from '#shared/contracts/job';
import { BrowserStage, describeInBrowser, type OpenedPage, STAGE_LIMIT_MS } from '../support/browser';
import { until } from '../support/poll';
import { get, post, untilIs } from './stage-jobs';

jest.setTimeout(120_000);

const HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';

const PIPELINES = JSON.stringify({
  retry: { max_retries: 3, back_off_seconds: 1 },
  pipelines: {
    quick: { description: 'Does nothing, at once', steps: [{ name: 'only', uses: 'noop' }] },
    flaky: {
      steps: [
        { name: 'fetch', uses: 'noop' },
        { name: 'load', uses: 'noop', options: { fail_attempts: 2 } },
        { name: 'index', uses: 'noop' },
      ],
    },
    broken: {
      steps: [
        { name: 'fetch', uses: 'noop' },
        {
          name: 'load',
          uses: 'command',
          max_retries: 0,
          options: { command: ['sh', '-c', `echo '${HOSTILE}' >&2; exit 3`] },
        },
      ],
    },
    slow: { steps: [{ name: 'think', uses: 'noop', options: { duration_ms: 3_600_000 } }] },
  },
});

describeInBrowser('what people do with a job in the dashboard', (program) => {
  let stage: BrowserStage;
  let opened: OpenedPage | undefined;

  beforeAll(async () => {
    stage = await BrowserStage.start(program, { pipelines: PIPELINES, env: { SLUICE_GRACE: '1s' } });
  }, STAGE_LIMIT_MS);
  afterAll(() => stage?.stop(), STAGE_LIMIT_MS);
  afterEach(async () => {
    const troubles = opened?.troubles ?? [];
    await opened?.close();
    opened = undefined;
    expect(troubles).toEqual([]);
  });

  const open = async (path: string): Promise<Page> => {
    opened = await stage.openPage(path);
    return opened.page;
  };
  const submit = async (job: object): Promise<string> => (await post<JobView>(stage.stack, '/v1/ingest', job)).id;
  const idIn = (page: Page): string => new URL(page.url()).pathname.split('/').at(-1) ?? '';
  const stepRow = (page: Page, step: string) =>
    page.locator('.job-steps tbody tr', { has: page.getByRole('button', { name: step, exact: true }) });
  const title = (page: Page, words: string) => page.locator('h1', { hasText: words }).waitFor();

  it('submits, and watches a step fail twice and succeed: the retries rise without a reload', async () => {
    const page = await open('/submit');
    await page.getByLabel('Pipeline').selectOption('flaky');
    await page.getByLabel('Description').fill('From a browser');
    await page.locator('form button.main[type=submit]').click();
    await page.waitForURL('**/jobs/*');
    await page.evaluate('window.wasReloaded = false');
    const id = idIn(page);
    const load = stepRow(page, 'load');
    await load.getByText('1/3').waitFor();
    await load.getByText(/^in \ds$/).waitFor();
    await load.getByText('2/3').waitFor();
    await title(page, 'completed');
    await load.getByText('completed').waitFor();
    expect(await page.evaluate('window.wasReloaded')).toBe(false);
    expect((await get<JobView>(stage.stack, `/v1/ingest/${id}`)).description).toBe('From a browser');
    // The error stays to be seen, and the figures of each step are there.
    expect(await load.innerText()).toMatch(/transient/);
    expect(await load.innerText()).toMatch(/\d %[\s\S]*\d MB/);
  });

  it('submits once, however often it is told to before the first is answered', async () => {
    const page = await open('/submit');
    await page.getByLabel('Pipeline').selectOption('quick');
    await page.getByLabel('Tags').fill('once');
    await page.evaluate('for (const _ of [1, 2, 3]) document.querySelector("main form").requestSubmit()');
    await page.waitForURL('**/jobs/*');
    await title(page, 'completed');
    expect((await get<JobPage>(stage.stack, '/v1/ingest?tag=once')).items).toHaveLength(1);
  });

  it('sees a countdown reach its start', async () => {
    const page = await open(`/jobs/${await submit({ pipeline: 'quick', countdown: 3 })}`);
    await title(page, 'scheduled');
    await page.locator('.job-held', { hasText: /in \ds/ }).waitFor();
    await title(page, 'completed');
  });

  it('cancels after it was asked, and is told when it is so', async () => {
    const page = await open(`/jobs/${await submit({ pipeline: 'slow' })}`);
    await title(page, 'running');
    await page.getByRole('button', { name: 'Cancel', exact: true }).click();
    await page.locator('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
    await title(page, 'cancelled');
  });

  it('runs a scheduled job now', async () => {
    const page = await open(`/jobs/${await submit({ pipeline: 'quick', countdown: 7_200 })}`);
    await page.getByRole('button', { name: 'Run now' }).click();
    await title(page, 'completed');
  });

  it('retries from a step: it and those that need it run again, those before it do not', async () => {
    const id = await submit({ pipeline: 'flaky' });
    await untilIs(stage.stack, id, ({ status }) => status === 'completed');
    const page = await open(`/jobs/${id}`);
    await stepRow(page, 'index').getByRole('button', { name: 'index', exact: true }).click();
    await page.getByRole('button', { name: 'Retry from index' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Retry from index' }).click();
    const job = await untilIs(
      stage.stack,
      id,
      ({ status, steps }) => status === 'completed' && steps[2]?.attempt === 2,
    );
    expect(job.steps.map(({ attempt }) => attempt)).toEqual([1, 3, 2]);
    await stepRow(page, 'index').getByText('2', { exact: true }).waitFor();
  });

  it('finds what failed, shows an error full of HTML as text, and redrives it', async () => {
    const id = await submit({ pipeline: 'broken', description: HOSTILE, tags: [HOSTILE.slice(0, 60)] });
    await untilIs(stage.stack, id, ({ status }) => status === 'failed');
    const page = await open(`/jobs/${id}`);
    await page.getByText(HOSTILE).first().waitFor();
    for (const path of ['/', '/jobs', '/dead-letters']) {
      await page.goto(stage.stack.url + path);
      await page.locator('main h1').first().waitFor();
      await page.locator('main .loading').first().waitFor({ state: 'detached' });
      expect(await page.evaluate('window.broken')).toBeUndefined();
      expect(await page.locator('main img, main script').count()).toBe(0);
    }
    await page.locator('main a.row').first().click();
    await page.waitForURL('**/dead-letters/*');
    await page.getByRole('button', { name: 'Redrive', exact: true }).first().click();
    await untilIs(stage.stack, id, ({ steps }) => steps[1]?.attempt === 2);
  });

  it('keeps a filter over a reload, and moves by keys', async () => {
    await submit({ pipeline: 'quick', tags: ['kept'] });
    const page = await open('/jobs');
    await page
      .getByRole('group', { name: 'Status' })
      .getByRole('button', { name: /completed/ })
      .click();
    await page.waitForURL('**/jobs?*status=completed*');
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { level: 1 }).click();
    await page.keyboard.press('/');
    await page.keyboard.type('nothing is like this');
    await page
      .getByText(/no job/i)
      .first()
      .waitFor();
    await page.waitForURL('**q=nothing*');
    await page.reload();
    expect(await page.locator('[data-search]').inputValue()).toBe('nothing is like this');
    await page
      .getByText(/no job/i)
      .first()
      .waitFor();
    await page.goto(`${stage.stack.url}/jobs?tag=kept`);
    await page.locator('a.row').first().waitFor();
    expect(await page.locator('a.row').count()).toBe(1);
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/jobs\/[0-9a-f-]{36}/);
    await page.keyboard.press('?');
    await page.locator('dialog', { hasText: 'search the jobs' }).waitFor();
  });

  it('sees a job in the list change under its eyes, and is told of newer ones', async () => {
    const id = await submit({ pipeline: 'flaky', tags: ['watched'] });
    const page = await open('/jobs');
    const row = page.locator('tr', { has: page.locator(`a[href="/jobs/${id}"]`) });
    await row.getByText('completed').first().waitFor();
    const before = await row.boundingBox();
    await submit({ pipeline: 'quick' });
    await page.getByRole('button', { name: /newer/ }).waitFor();
    expect((await row.boundingBox())?.height).toBe(before?.height);
    const shown = await page.locator('a.row').count();
    await page
      .getByRole('button', { name: /newer|show/i })
      .first()
      .click();
    await until(async () => (await page.locator('a.row').count()) === shown + 1, { what: 'the newer job in the list' });
    expect((await get<JobPage>(stage.stack, '/v1/ingest?limit=1')).items).toHaveLength(1);
  });

  it('says that the socket is lost, and comes back by itself with what was missed', async () => {
    const id = await submit({ pipeline: 'slow' });
    opened = await stage.openPage('/');
    const { page } = opened;
    let cut: (() => void) | undefined;
    let isCut = false;
    await page.routeWebSocket(/\/v1\/ingest\/ws\//, (socket) => {
      if (isCut) return void socket.close({ code: 1011 });
      const server = socket.connectToServer();
      cut = () => {
        void socket.close({ code: 1011 });
        void server.close();
      };
    });
    await page.goto(`${stage.stack.url}/jobs/${id}`);
    await page.locator('.job-live-live').waitFor();
    isCut = true;
    cut?.();
    await page.getByText('Live updates were lost').waitFor();
    await post(stage.stack, `/v1/ingest/${id}/cancel`);
    await untilIs(stage.stack, id, ({ status }) => status === 'cancelled');
    isCut = false;
    await title(page, 'cancelled');
    await page.getByText('Live updates were lost').waitFor({ state: 'detached' });
  });

  it('says that the gateway is away, and goes on by itself once it is back', async () => {
    const page = await open('/');
    const before = opened?.troubles.length;
    await page.route('**/v1/**', (route) => route.abort());
    await page.locator('.banner', { hasText: 'has not answered' }).waitFor();
    await page.unroute('**/v1/**');
    await page.locator('.banner').waitFor({ state: 'detached' });
    await page.route('**/v1/**', (route) => route.fulfill({ status: 503, body: '{"title":"Unavailable"}' }));
    await page.locator('.banner', { hasText: 'answers with errors' }).waitFor();
    await page.unroute('**/v1/**');
    await page.locator('.banner').waitFor({ state: 'detached' });
    // The browser itself writes each call that failed into its console.
    const written = opened?.troubles.slice(before) ?? [];
    expect(written.filter((text) => !/net::ERR_FAILED|status of 503/.test(text))).toEqual([]);
    await opened?.close();
    opened = undefined;
  });
});
