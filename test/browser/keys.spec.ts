import { createHash } from 'node:crypto';
import { BrowserStage, describeInBrowser, STAGE_LIMIT_MS } from '../support/browser';

jest.setTimeout(120_000);

const KEY = 'a-key-of-this-test-alone';
const PIPELINES = JSON.stringify({
  pipelines: { slow: { steps: [{ name: 'think', uses: 'noop', options: { duration_ms: 3_600_000 } }] } },
});

describeInBrowser('the dashboard of a gateway that wants a key', (program) => {
  let stage: BrowserStage | undefined;

  beforeAll(async () => {
    const env = { SLUICE_GRACE: '1s', SLUICE_API_KEYS: `me:${createHash('sha256').update(KEY).digest('hex')}` };
    stage = await BrowserStage.start(program, { pipelines: PIPELINES, env });
  }, STAGE_LIMIT_MS);
  afterAll(() => stage?.stop(), STAGE_LIMIT_MS);

  it('asks for it, says that it is a wrong one, and works with the right one, live', async () => {
    if (!stage) throw new Error('the stage was not set up');
    const { stack } = stage;
    const submitted = await fetch(`${stack.url}/v1/ingest`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: '{"pipeline":"slow"}',
    });
    const { id } = (await submitted.json()) as { id: string };
    const { page, close } = await stage.openPage(`/jobs/${id}`);
    const field = page.getByLabel('Key', { exact: true });
    await field.fill('another key');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('The gateway does not know that key.').waitFor();
    await field.fill(KEY);
    await page.keyboard.press('Enter');
    await page.locator('h1', { hasText: 'running' }).waitFor();
    await page.getByText('● Live').waitFor();
    await page.reload();
    await page.locator('h1', { hasText: 'running' }).waitFor();
    expect(page.url()).not.toContain('key');
    await close();
  });
});
