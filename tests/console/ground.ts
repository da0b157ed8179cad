import type { Browser, BrowserContextOptions } from 'playwright-core';
import { Ferry } from '../e2e/ferry.js';
import { launchBrowser, openPage, type WatchedPage } from './browser.js';
import { openFleet, type Fleet } from './fleet.js';

export const ADMIN_TOKEN = 'the-admin-token-of-this-test';

/** The real service and a real browser, for the tests of one file. */
export class Ground {
  private fleet: Fleet | undefined;

  private constructor(
    readonly ferry: Ferry,
    private readonly browser: Browser,
  ) {}

  static async open(env: Record<string, string> = {}): Promise<Ground> {
    const ferry = await Ferry.start({ FERRY_ADMIN_TOKEN: ADMIN_TOKEN, ...env });
    return new Ground(ferry, await launchBrowser());
  }

  /** A product in the midst of its life, whose devices leave when the ground is closed. */
  async openFleet(): Promise<Fleet> {
    return (this.fleet = await openFleet(this.ferry));
  }

  /** A product with devices that were never online. */
  async addProduct(productKey: string, name: string, deviceNames: readonly string[]): Promise<void> {
    await this.ferry.post('/v1/products', { productKey, name });
    await this.ferry.post(`/v1/products/${productKey}/devices`, {
      devices: deviceNames.map((deviceName) => ({ deviceName })),
    });
  }

  async close(): Promise<void> {
    await this.fleet?.leave();
    await this.browser.close();
    await this.ferry.stop();
  }

  /** A visitor at a path of the console, in a browser of their own. */
  async visit(path: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
    const page = await openPage(this.browser, { baseURL: this.ferry.url, ...options });
    await page.goto(path);
    return page;
  }

  /** As `visit`, signed in as a person would. */
  signedIn(path: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
    return this.signedInBy(ADMIN_TOKEN, path, options);
  }

  /** The token of another operator. */
  async operator(name: string, role: 'viewer' | 'operator'): Promise<string> {
    return (await this.ferry.post<{ token: string }>('/v1/tokens', { name, role })).body.token;
  }

  async signedInBy(token: string, path: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
    const page = await openPage(this.browser, { baseURL: this.ferry.url, ...options });
    const headers = { 'content-type': 'application/json' };
    const response = await page.request.post('/v1/session', { headers, data: { token } });
    if (response.status() !== 201) throw new Error(`Signing in was answered ${response.status()}`);
    await page.goto(path);
    return page;
  }
}
