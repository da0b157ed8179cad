import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Fleet } from './fleet.js';
import { Ground } from './ground.js';

const FOLDER = process.env['FERRY_SCREENSHOTS'] ?? '';
const SIZES = {
  wide: { width: 1440, height: 900 },
  narrow: { width: 1024, height: 768 },
  phone: { width: 390, height: 844 },
} as const;

let ground: Ground;
let fleet: Fleet;
beforeAll(async () => {
  if (FOLDER === '') throw new Error('Name a folder: npm run screenshots -- <folder>');
  await mkdir(FOLDER, { recursive: true });
  ground = await Ground.open();
  fleet = await ground.openFleet();
});
afterAll(() => ground.close());

/** Each page by a name; a new page is added here. */
const pages = (): Readonly<Record<string, string>> => ({
  overview: '/',
  firmware: '/firmware',
  'firmware-details': `/firmware/${fleet.firmwareId}`,
  tasks: '/tasks',
  'task-details': `/tasks/${fleet.batchId}`,
  'new-firmware': '/firmware?dialog=new',
  failures: `/tasks/${fleet.batchId}?tab=failed`,
  devices: '/devices',
  'add-devices': '/devices?dialog=add',
  'device-details': `/devices/${fleet.productKey}/lamp-02`,
});

describe('Screenshots', () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      it.each(['en-GB', 'zh-CN'])(`${colorScheme}, ${size}, %s`, async (locale) => {
        const options = { colorScheme, viewport, locale, deviceScaleFactor: 1.5 };
        const name = (page: string) => join(FOLDER, `${page}-${size}-${colorScheme}-${locale.slice(0, 2)}.png`);
        const visitor = await ground.visit('/sign-in', options);
        await visitor.locator('input').waitFor();
        await visitor.screenshot({ path: name('sign-in') });
        await visitor.context().close();
        const page = await ground.signedIn('/', options);
        for (const [title, path] of Object.entries(pages())) {
          await page.goto(path);
          await page.locator('h1').waitFor();
          await page.locator('.ant-spin-spinning, .ant-skeleton').first().waitFor({ state: 'detached' });
          if (path.includes('dialog=')) await page.getByRole('dialog').waitFor();
          // As tall as its content: what is fixed to an edge stays at its edge.
          await page.setViewportSize(viewport);
          const height = Number(await page.evaluate('document.documentElement.scrollHeight'));
          await page.setViewportSize({ width: viewport.width, height });
          await page.screenshot({ path: name(title), animations: 'disabled' });
        }
        expect(page.faults).toEqual([]);
        await page.context().close();
      });
    }
  }
});
