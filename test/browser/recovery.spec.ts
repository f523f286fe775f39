import type { Page } from 'playwright-core';
import type { JobView } from '#shared/contracts/job';
import { BrowserStage, describeInBrowser, type OpenedPage, STAGE_LIMIT_MS } from '../support/browser';
import { until } from '../support/poll';
import { get, PIPELINES, post, type StageJobs, submitStageJobs, untilIs } from './stage-jobs';

jest.setTimeout(120_000);

describeInBrowser('what has yet to run and what has failed, in the dashboard', (program) => {
  let stage: BrowserStage;
  let jobs: StageJobs;
  let opened: OpenedPage | undefined;

  beforeAll(async () => {
    stage = await BrowserStage.start(program, { pipelines: PIPELINES, env: { SLUICE_GRACE: '1s' } });
    jobs = await submitStageJobs(stage.stack);
  }, STAGE_LIMIT_MS);
  afterAll(() => stage?.stop(), STAGE_LIMIT_MS);
  afterEach(() => opened?.close());

  const open = async (path: string): Promise<Page> => {
    opened = await stage.openPage(path);
    return opened.page;
  };
  /** Takes a picture of a dialog, which the other spec does not see, and asks axe. */
  const look = async (name: string): Promise<void> => {
    if (!opened) throw new Error('no page is open');
    await stage.screenshot(opened, name);
    expect(await stage.axe(opened.page)).toEqual([]);
  };
  const hold = (): Promise<JobView> =>
    post<JobView>(stage.stack, '/v1/ingest', { pipeline: 'quick', countdown: 7_200 });
  const rowOf = (page: Page, id: string) => page.locator('.held > li', { hasText: id });

  it('says at a glance what will run tonight', async () => {
    const page = await open('/scheduled');
    const entries = await page.locator('.upcoming > li').allInnerTexts();
    expect(entries.some((text) => text.includes('Nightly') && text.includes('At 03:00'))).toBe(true);
    expect(entries.filter((text) => text.includes('Every 15 minutes'))).toHaveLength(1);
    expect(entries.some((text) => text.includes('In some days'))).toBe(false);
  });

  it('says what a job waits for, and how that is', async () => {
    const page = await open('/scheduled');
    await rowOf(page, jobs.waiting).getByText('▶ running').first().waitFor();
    await rowOf(page, jobs.waiting)
      .getByRole('link', { name: jobs.running.slice(-8) })
      .click();
    await page.waitForURL(`**/jobs/${jobs.running}`);
  });

  it('starts a held job now, gives it another time, and cancels it after asking', async () => {
    const [now, later, never] = [await hold(), await hold(), await hold()];
    const page = await open('/scheduled');
    await rowOf(page, now.id).getByRole('button', { name: 'Run now' }).click();
    await untilIs(stage.stack, now.id, ({ status }) => status === 'completed');

    await rowOf(page, later.id).getByRole('button', { name: 'Reschedule' }).click();
    const field = page.getByLabel('New start, by your clock');
    await field.fill('2099-01-01T00:00:00');
    await page.locator('dialog').getByRole('button', { name: 'Reschedule' }).click();
    await page.locator('dialog .field-fault', { hasText: 'ten years' }).waitFor();
    await look('reschedule');
    await field.fill('2029-05-06T07:08:09');
    await page.locator('dialog').getByRole('button', { name: 'Reschedule' }).click();
    await page.locator('dialog').waitFor({ state: 'detached' });
    const { eta } = await get<JobView>(stage.stack, `/v1/ingest/${later.id}`);
    expect(new Date(eta ?? '').getUTCFullYear()).toBe(2029);

    await rowOf(page, never.id).getByRole('button', { name: 'Cancel' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Leave it' }).click();
    await rowOf(page, never.id).getByRole('button', { name: 'Cancel' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Cancel' }).click();
    await untilIs(stage.stack, never.id, ({ status }) => status === 'cancelled');
    await page.mouse.move(0, 0);
    await rowOf(page, never.id).waitFor({ state: 'detached' });
  });

  it('keeps the rows in their places while the pointer is on them', async () => {
    const [first, second] = [await hold(), await hold()];
    const page = await open('/scheduled');
    await rowOf(page, second.id).hover();
    const before = await rowOf(page, second.id).boundingBox();
    await post(stage.stack, `/v1/ingest/${first.id}/cancel`);
    await rowOf(page, first.id).getByText('not held any more').waitFor();
    expect((await rowOf(page, second.id).boundingBox())?.y).toBe(before?.y);
    await page.mouse.move(0, 0);
    await rowOf(page, first.id).waitFor({ state: 'detached' });
  });

  it('makes a schedule, with what is wrong at its field; disables, runs and deletes it', async () => {
    const page = await open('/scheduled');
    await page.getByRole('button', { name: 'New schedule' }).click();
    await page.getByLabel('Cron').fill('every now and then');
    await page.getByLabel('Time zone').fill('Europe/Atlantis');
    await page.getByLabel('Pipeline').selectOption('quick');
    await page.getByLabel('Description (optional)').fill('Of a test');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page
      .locator('.field', { has: page.getByLabel('Time zone') })
      .getByText('expected a name of the IANA')
      .waitFor();
    expect(await page.getByLabel('Cron').getAttribute('aria-invalid')).toBe('true');
    await look('new-schedule');
    await page.getByLabel('Cron').fill('5 4 * * 1-5');
    await page.getByLabel('Time zone').fill('Asia/Tokyo');
    await page.getByRole('button', { name: 'Make it' }).click();

    const card = page.locator('.schedule', { hasText: 'Of a test' });
    await card.getByText('At 04:05, Monday through Friday').waitFor();
    expect(await card.innerText()).toContain('Asia/Tokyo');
    await card.getByRole('button', { name: 'Run now' }).click();
    await card.getByText('✓ completed').waitFor();
    await card.getByRole('button', { name: 'Disable' }).click();
    await card.getByText('none while it is disabled').waitFor();
    await card.getByRole('button', { name: 'Delete' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
    await card.waitFor({ state: 'detached' });
  });

  it('filters dead letters by the address, and opens a group by the keyboard', async () => {
    const page = await open('/dead-letters?kind=timeout');
    await page.getByText('No dead letter is like that.').waitFor();
    await page.getByLabel('Kind of error').selectOption('permanent');
    await page.waitForURL('**/dead-letters?kind=permanent');
    await page.getByLabel('Pipeline').selectOption('broken');
    await page.locator('.entries .row').first().waitFor();
    await page.getByRole('heading', { level: 1 }).click();
    await page.getByLabel('Kind of error').blur();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/dead-letters/${jobs.fingerprint}?**`);
    await page.locator('.entries > li', { hasText: jobs.failed }).getByText('Payload').click();
    await page.locator('.entries pre', { hasText: '"customer": "kingfisher"' }).waitFor();
    expect(await page.locator('.entries pre b').count()).toBe(0);
  });

  it('redrives one, and all of a group after saying how many', async () => {
    const page = await open(`/dead-letters/${jobs.fingerprint}`);
    await page.getByText('Redriven: the job goes on.').waitFor({ state: 'detached' });
    await page.locator('.entries > li', { hasText: jobs.failed }).getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('Redriven: the job goes on.').waitFor();
    await untilIs(stage.stack, jobs.failed, ({ steps }) => steps.some(({ attempt }) => attempt === 2));
    await until(async () => (await lettersThere()) === 2, { what: 'the job to fail once more' });
    await page.getByRole('button', { name: 'Redrive all of this group' }).click();
    await page.getByText('Redrive 2 dead letters?').waitFor();
    await look('redrive-all');
    await page.locator('dialog').getByRole('button', { name: 'Redrive' }).click();
    await page.getByText('2 dead letters redriven: the jobs go on.').waitFor();
    await untilIs(stage.stack, jobs.failed, ({ steps }) => steps.some(({ attempt }) => attempt === 3));
  });

  const lettersThere = async (): Promise<number> =>
    (await get<{ items: unknown[] }>(stage.stack, '/v1/dead_letters')).items.length;
});
