import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OTHER_HOST } from './browser.js';
import { ADMIN_TOKEN, Ground } from './ground.js';

let ground: Ground;
const PRODUCT = 'lamps';
beforeAll(async () => {
  ground = await Ground.open();
  await ground.ferry.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
});
afterAll(() => ground.close());

const dialog = (page: Page) => page.getByRole('dialog');
const add = async (page: Page, list: string, count: number) => {
  await page.getByLabel(/Device names, one a line/).fill(list);
  const name = count === 1 ? 'Add 1 device' : `Add ${count} devices`;
  await dialog(page).getByRole('button', { name }).click();
};

/** By the service's name in the network, without https: the browser withholds what it gives to trusted pages only. */
async function signedInElsewhere(path: string) {
  const baseURL = `http://${OTHER_HOST}:${new URL(ground.ferry.url).port}`;
  const page = await ground.visit('/sign-in', { baseURL });
  await page.getByLabel('Token').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  await page.goto(path);
  expect(await page.evaluate('isSecureContext')).toBe(false);
  // What a copy puts on the clipboard, which no such page can read.
  await page.evaluate(
    `addEventListener('copy', (event) => (window.copied = event.clipboardData.getData('text/plain')))`,
  );
  return page;
}

describe('Adding devices', () => {
  it('names bad lines as they were typed, with and without a header, empty ones counted', async () => {
    const page = await ground.signedIn(`/devices?dialog=add`);
    await add(page, '\nlamp-1\n\nbad name\n', 2);
    await dialog(page).getByText('line 4, deviceName').waitFor();
    await add(page, 'lamp-1\nlamp-2\nlamp-1\n', 3);
    await dialog(page).getByText('line 3, deviceName: lamp-1 is listed twice').waitFor();
    await add(page, 'deviceName,protocol\nlamp-1,mqtt\nlamp-2,pigeon\n', 2);
    await dialog(page).getByText('line 3, protocol').waitFor();
    await add(page, 'lamp-1\nlamp-2,x\n', 2);
    await dialog(page).getByText('got 2 on line 2').waitFor();
    expect(await dialog(page).getByText('line 3').count()).toBe(0);
    // A name that begins like the header is a name.
    await add(page, 'deviceName-1\n', 1);
    await page.getByText('These secrets are shown only now').waitFor();
    expect(page.faults).toEqual([]);
  });

  it('gives the secrets away as CSV that can be read again, copied or as a file, also over plain http', async () => {
    const page = await signedInElsewhere('/devices?dialog=add');
    await add(page, 'deviceName,deviceSecret\nquoted,"a,b""c-12345"\n', 1);
    await page.getByText('These secrets are shown only now').waitFor();
    const csv = 'deviceName,deviceSecret,protocol\nquoted,"a,b""c-12345",mqtt\n';
    await dialog(page).getByRole('button', { name: 'Copy all as CSV' }).click();
    await page.getByText('Copied', { exact: true }).waitFor();
    expect(await page.evaluate('window.copied')).toBe(csv);
    const downloaded = page.waitForEvent('download');
    await dialog(page).getByRole('button', { name: 'Download as CSV' }).click();
    expect((await downloaded).suggestedFilename()).toBe(`${PRODUCT}-secrets.csv`);
    expect(await readFile(await (await downloaded).path(), 'utf8')).toBe(csv);
    expect(page.faults).toEqual([]);
  });

  it('says so where the browser lets it copy nothing', async () => {
    const page = await signedInElsewhere('/devices?dialog=add');
    await page.evaluate(`document.execCommand = () => false`);
    await add(page, 'kept', 1);
    await dialog(page).getByRole('button', { name: 'Copy all as CSV' }).click();
    await page.getByText('Download the file instead').waitFor();
    expect(page.faults).toEqual([]);
  });
});

describe('The firmware list', () => {
  it('copies a digest, also over plain http', async () => {
    const { body } = await ground.ferry.addFirmware(PRODUCT, 'lamp', '2.0.0');
    const page = await signedInElsewhere(`/firmware?product=${PRODUCT}`);
    await page.getByRole('button', { name: /^SHA256 / }).click();
    const { body: firmware } = await ground.ferry.get<{ sign: string }>(`/v1/firmware/${body.id}`);
    await page.getByText(firmware.sign, { exact: true }).waitFor();
    expect(await page.evaluate('window.copied')).toBe(firmware.sign);
    expect(page.faults).toEqual([]);
  });
});
