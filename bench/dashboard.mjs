// What the dashboard costs: its size, how soon it is there, and the memory of a tab while jobs rush by.
import { accessSync, constants } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onStack, pause, quantile, sorted, spread, submitSteadily } from './load.mjs';

const LOADS = 15;
const LOOK_EVERY_MS = 30_000;
const ASSETS = fileURLToPath(new URL('../dist/dashboard/assets/', import.meta.url));

function findBrowser() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const named = process.env.SLUICE_TEST_BROWSER;
  const places = ['chromium', 'chromium-browser', 'google-chrome'].flatMap((name) =>
    folders.map((folder) => join(folder, name)),
  );
  const found = named ?? places.find(isProgram);
  if (!found)
    throw new Error('no Chromium on the PATH (Debian: apt install chromium); SLUICE_TEST_BROWSER may name one');
  return found;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Kilobytes of what a browser loads, compressed as it is sent. */
async function sizes() {
  const files = (await readdir(ASSETS)).filter((name) => name.endsWith('.gz'));
  const bytes = await Promise.all(files.map(async (name) => [name, (await stat(join(ASSETS, name))).size]));
  return Object.fromEntries(bytes.map(([name, size]) => [name.split('.').at(-2), size / 1_000]));
}

/** Milliseconds from asking for the page to its first content, with nothing cached. */
async function firstPaint(browser, url) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.locator('main h1').waitFor();
  const ms = await page.evaluate(
    'new Promise((done) => new PerformanceObserver((list) => done(list.getEntriesByName("first-contentful-paint")[0].startTime)).observe({ type: "paint", buffered: true }))',
  );
  await context.close();
  return ms;
}

/** Megabytes of the tab's objects, after the garbage is gone. */
async function heapMb(session) {
  await session.send('HeapProfiler.collectGarbage');
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'JSHeapUsedSize').value / 1_048_576;
}

/** The memory of a tab that shows a screen, looked at while jobs come in. */
async function watchTab(browser, url, isOver) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.locator('main h1').waitFor();
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  await session.send('HeapProfiler.enable');
  const heaps = [await heapMb(session)];
  while (!isOver()) {
    await pause(LOOK_EVERY_MS);
    heaps.push(await heapMb(session));
  }
  await page.close();
  return heaps;
}

export async function measureDashboard({ rate, minutes, concurrency }) {
  const { chromium } = await import('playwright-core');
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: findBrowser(), args });
  try {
    return await onStack({ concurrency }, async (stack) => {
      const paints = [];
      for (let load = 0; load < LOADS; load += 1) paints.push(await firstPaint(browser, stack.url));
      let isOver = false;
      const load = submitSteadily(stack, rate, minutes * 60, { pipeline: 'noop3' }).finally(() => (isOver = true));
      const tabs = { overview: '/', jobs: '/jobs', resources: '/resources' };
      const heaps = await Promise.all(
        Object.entries(tabs).map(async ([name, path]) => [
          name,
          await watchTab(browser, stack.url + path, () => isOver),
        ]),
      );
      await load;
      return { rate, minutes, kilobytes: await sizes(), paint_ms: paints, heap_mb: Object.fromEntries(heaps) };
    });
  } finally {
    await browser.close();
  }
}

export function printDashboard({ rate, minutes, kilobytes, paint_ms, heap_mb }) {
  const words = Object.entries(kilobytes).map(([kind, size]) => `${kind} ${size.toFixed(0)} kB`);
  console.log(`\nthe dashboard, gzipped: ${words.join(', ')}`);
  console.log(`  first content after ${spread(paint_ms)} ms, nothing cached, median (min–max) of ${paint_ms.length}`);
  console.log(`  memory of a tab, ${minutes} min of ${rate} jobs/s:`);
  for (const [screen, heaps] of Object.entries(heap_mb)) {
    const last = heaps.slice(-5);
    console.log(
      `    ${screen.padEnd(10)} ${heaps[0].toFixed(1)} MB at the start, ${quantile(sorted(last), 0.5).toFixed(1)} MB at the end, at most ${Math.max(...heaps).toFixed(1)} MB`,
    );
  }
}
