import { existsSync } from 'node:fs';
import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** The service under a name that browsers don't trust without https, unlike the loopback's. */
export const OTHER_HOST = 'ferry.test';

/** @throws Error that says how to get one, where there is no Chromium */
export function launchBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`There is no ${CHROMIUM}: apt-get install chromium, or name another one in CHROMIUM.`);
  }
  return chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-dev-shm-usage', `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`],
  });
}

/** A page that notes what a person would only find in the browser's own tools. */
export interface WatchedPage extends Page {
  /** Errors of scripts, and what the content policy has refused. */
  readonly faults: string[];
}

/** A browser of its own: no cookies of others. English and light unless asked otherwise. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1360, height: 860 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy|Warning: /.test(message.text())) faults.push(message.text());
  });
  return Object.assign(page, { faults });
}
