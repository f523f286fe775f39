import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findProgram } from './programs';
import { TestStack, type TestStackOptions } from './stack';

const ROOT = join(__dirname, '..', '..');
const SCREENSHOTS = join(ROOT, '.sluice', 'screenshots');
/** A browser is quick; the machine may not be. */
const WAIT_MS = 30_000;
/** For a build, servers, services and the browser. */
export const STAGE_LIMIT_MS = 180_000;

/** By day and by night. */
export const COLOR_SCHEMES = ['light', 'dark'] as const;
export type ColorScheme = (typeof COLOR_SCHEMES)[number];
const DESK_WIDTH = 1_280;
/** On a desk and on a telephone. */
export const WIDTHS = [DESK_WIDTH, 400] as const;

/** The Chromium to test with: `SLUICE_TEST_BROWSER`, else one on the PATH; null when there is none. */
export function findBrowser(): string | null {
  return process.env['SLUICE_TEST_BROWSER'] ?? findProgram('chromium', 'chromium-browser', 'google-chrome');
}

/** Groups tests that need a browser; where there is none it says that they were not run. */
export function describeInBrowser(name: string, tests: (program: string) => void): void {
  const program = findBrowser();
  describe(name, () => {
    if (program !== null) return tests(program);
    it('was not run: there is no browser', () => {
      process.stderr.write(
        `not run: ${name} in a browser: no Chromium on the PATH (Debian: apt install chromium), ` +
          'and SLUICE_TEST_BROWSER names none\n',
      );
    });
  });
}

export interface PageOptions {
  readonly colorScheme?: ColorScheme;
  /** Of the window, in pixels. */
  readonly width?: number;
}

/** A page of the dashboard, and what went wrong in it. */
export interface OpenedPage extends Required<PageOptions> {
  readonly page: Page;
  /**
   * Errors in the console and of scripts, breaches of the content security policy, and calls of other hosts. A browser
   * puts an answer of 400 and above into the console, too.
   */
  readonly troubles: readonly string[];
  /** Closes its window; what it stored is gone. */
  close(): Promise<void>;
}

export interface AxeFinding {
  readonly rule: string;
  readonly impact: string;
  /** The elements, and what is wrong with each. */
  readonly where: readonly string[];
}

/**
 * The dashboard, built, served by a stack of its own, and a browser that looks at it, for one spec file.
 * ```
 * describeInBrowser('the dashboard', (program) => {
 *   beforeAll(async () => { stage = await BrowserStage.start(program, { pipelines }); }, STAGE_LIMIT_MS);
 *   afterAll(() => stage?.stop(), STAGE_LIMIT_MS);
 * ```
 */
export class BrowserStage {
  private constructor(
    readonly stack: TestStack,
    readonly browser: Browser,
  ) {}

  static async start(program: string, options: TestStackOptions = {}): Promise<BrowserStage> {
    await promisify(execFile)(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--if-needed', '--dashboard']);
    const stack = await TestStack.start(options);
    try {
      // Chromium refuses to run in its sandbox as root, as tests in containers do.
      const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
      return new BrowserStage(stack, await chromium.launch({ executablePath: program, args, timeout: WAIT_MS }));
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.stack.stop();
  }

  /** Opens a screen in a new window and waits until it shows what it has read. */
  async openPage(path: string, { colorScheme = 'light', width = DESK_WIDTH }: PageOptions = {}): Promise<OpenedPage> {
    const context = await this.browser.newContext({
      colorScheme,
      viewport: { width, height: 900 },
      reducedMotion: 'reduce',
    });
    context.setDefaultTimeout(WAIT_MS);
    const page = await context.newPage();
    const troubles = await this.watch(context, page);
    await page.goto(this.stack.url + path);
    await shown(page);
    return { page, colorScheme, width, troubles, close: () => context.close() };
  }

  /** @returns what axe finds serious or critical */
  async axe(page: Page): Promise<AxeFinding[]> {
    // Not as a script of the page: the page's policy would refuse it.
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate<AxeResults>('axe.run()');
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, impact, nodes }) => ({
        rule: id,
        impact: impact ?? '',
        where: nodes.map(({ html, failureSummary = '' }) => `${html}\n${failureSummary}`),
      }));
  }

  /** Takes a picture of the whole page: `.sluice/screenshots/NAME-1280.png`. @returns its file */
  async screenshot({ page, width }: OpenedPage, name: string): Promise<string> {
    await mkdir(SCREENSHOTS, { recursive: true });
    const path = join(SCREENSHOTS, `${name}-${width}.png`);
    await page.screenshot({ path, fullPage: true });
    return path;
  }

  private async watch(context: BrowserContext, page: Page): Promise<readonly string[]> {
    const troubles: string[] = [];
    const { host } = new URL(this.stack.url);
    const noteForeign = (url: string): void => {
      if (new URL(url).host !== host) troubles.push(`another host is called: ${url}`);
    };
    page.on('console', (message) => {
      if (message.type() === 'error') troubles.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => troubles.push(`script: ${error.stack ?? error.message}`));
    page.on('request', (request) => noteForeign(request.url()));
    page.on('websocket', (socket) => noteForeign(socket.url()));
    await context.exposeFunction('noteBreach', (breach: string) => troubles.push(`policy: ${breach}`));
    await context.addInitScript({
      content: `document.addEventListener('securitypolicyviolation', (event) =>
        window.noteBreach(event.violatedDirective + ' refuses ' + (event.blockedURI || event.sourceFile)))`,
    });
    return troubles;
  }
}

/** Resolves when the screen has a heading and reads no more. */
export async function shown(page: Page): Promise<void> {
  await page.locator('main h1').first().waitFor();
  await page.locator('main .loading').first().waitFor({ state: 'detached' });
}
