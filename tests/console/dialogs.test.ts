import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey, signFirmware } from '../../firmware/signature.js';
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
    await dialog(page).getByText('line 2: has 2 cells, but the header line (deviceName) has 1').waitFor();
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

describe('The firmware of a product whose records were rebuilt', () => {
  it.each([
    ['en-GB', 'Nobody has decided whose firmware this product takes'],
    ['zh-CN', '尚未决定该产品接受谁的固件'],
  ])(
    'is refused until somebody decides: the page says so, and says no more once that is done (%s)',
    async (locale, title) => {
      const page = await ground.signedIn('/sign-in', { locale });
      let trustUndecided = true;
      await page.route(/\/v1\/products\?/, async (route) => {
        const response = await route.fetch();
        const { items } = (await response.json()) as { items: object[] };
        await route.fulfill({
          response,
          json: { items: items.map((item) => ({ ...item, trustUndecided })), nextCursor: null },
        });
      });
      await page.goto(`/firmware?product=${PRODUCT}`);
      await page.getByRole('alert').getByText(title).waitFor();
      await page.getByRole('alert').getByText('ferry product trust').waitFor();
      trustUndecided = false;
      await page.evaluate(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`);
      await page.getByText(title).waitFor({ state: 'detached' });
      expect(page.faults).toEqual([]);
      await page.context().close();
    },
  );
});

describe('New firmware of a product that trusts a key', () => {
  it('is added with the file that “ferry firmware sign” has made', async () => {
    const [productKey, maker, bytes] = ['signed', generateSigningKey(), Buffer.from('signed firmware')];
    await ground.ferry.post('/v1/products', { productKey, name: 'Signed' });
    const [file, signature] = [join(ground.ferry.folder, 'main.bin'), join(ground.ferry.folder, 'main.bin.sig')];
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const statement = { productKey, module: 'default', version: '1.0.0', sizeBytes: bytes.length, sha256 };
    await writeFile(file, bytes);
    await writeFile(signature, `${signFirmware(maker.privateKey, statement).signature}\n`);

    const page = await ground.signedIn(`/firmware?product=${productKey}&dialog=new`);
    await page.getByLabel('Firmware name').fill('main');
    await page.getByLabel('Version').fill('1.0.0');
    await page.locator('input[type=file]').setInputFiles(file);
    expect(await page.getByLabel('Signature').count()).toBe(0);
    // The page does not know of it.
    await ground.ferry.call('PUT', `/v1/products/${productKey}/trusted-keys`, { publicKeys: [maker.publicKey] });
    await dialog(page).getByRole('button', { name: 'Add' }).click();
    await page.getByLabel('Signature').fill('none');
    await dialog(page).getByText('The signature is 64 bytes in base64').waitFor();
    await page.locator('input[type=file][accept*=".sig"]').setInputFiles(signature);
    await dialog(page).getByText('The signature is 64 bytes in base64').waitFor({ state: 'detached' });
    await dialog(page).getByRole('button', { name: 'Add' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'main' }).waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'New Firmware' }).click();
    await page.getByLabel('Signature').waitFor();
    expect(page.faults).toEqual([]);
  });
});
