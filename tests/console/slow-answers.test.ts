import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WatchedPage } from './browser.js';
import { Ground } from './ground.js';

/* The answer takes its time: what was asked for can neither be closed nor changed until it is there. */

let ground: Ground;
let page: WatchedPage;
let firmwareId: string;
const PRODUCT = 'lamps';
beforeAll(async () => {
  ground = await Ground.open();
  await ground.addProduct(PRODUCT, 'Lamp', ['first', 'second']);
  firmwareId = (await ground.ferry.addFirmware(PRODUCT, 'lamp', '2.0.0')).body.id;
  page = await ground.signedIn('/');
  // However slow the machine is: neither the test nor the console gives up waiting.
  page.setDefaultTimeout(60_000);
  await page.addInitScript(`AbortSignal.timeout = () => new AbortController().signal`);
});
afterAll(() => ground.close());

const dialog = () => page.getByRole('dialog');
/** A button that is loading says so to those who hear it. */
const button = (name: string) => dialog().getByRole('button', { name: new RegExp(`^(loading )?${name}$`) });

/** Keeps what is sent there from the service until it is let go, and counts it. */
async function hold(path: string) {
  let letGo = () => undefined as void;
  const gone = new Promise<void>((resolve) => (letGo = resolve));
  const held = { sent: 0, letGo, first: page.waitForRequest((request) => request.url().endsWith(path)) };
  await page.route(
    (url) => url.href.endsWith(path),
    async (route) => {
      if (route.request().method() === 'GET') return route.fallback();
      held.sent += 1;
      await gone;
      await route.continue();
    },
  );
  return held;
}

/** Presses a button of the dialog whose request is held; whatever is tried then, dialog and request stay as they are. */
async function pressAndTry(name: string, path: string) {
  const held = await hold(path);
  await button(name).click();
  await held.first;
  await expectLocked('Cancel');
  return held;
}

/** Whatever is tried, the dialog stays, and so does what it asked for. */
async function expectLocked(cancel: string): Promise<void> {
  await dialog().locator('input:enabled, textarea:enabled').first().waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.mouse.click(5, 5);
  expect(await button(cancel).isDisabled()).toBe(true);
  expect(await dialog().getByRole('button', { name: 'Close' }).count()).toBe(0);
}

async function openAddDevices(): Promise<void> {
  await page.goto('/');
  await page.getByRole('navigation').getByRole('link', { name: 'Devices' }).click();
  await page.getByRole('button', { name: 'Add devices' }).click();
}

describe('While the service has not answered yet,', () => {
  it('the secrets of devices that are being added can’t be lost', async () => {
    await openAddDevices();
    await page.getByLabel(/Device names, one a line/).fill('third');
    const held = await pressAndTry('Add 1 device', `/v1/products/${PRODUCT}/devices`);
    await page.evaluate('history.back()');
    await dialog().getByText('Leave before the secrets are here?').waitFor();
    held.letGo();
    await page.getByText('These secrets are shown only now').waitFor();
    expect(await page.getByText('Leave before the secrets are here?').count()).toBe(0);
    expect(await dialog().getByRole('row', { name: /third/ }).locator('code').innerText()).toMatch(/^\S{8,}$/);
    expect(held.sent).toBe(1);
    await button('Download as CSV').click();
    await button('Close').last().click();
    await dialog().waitFor({ state: 'detached' });
  });

  it('nor those of devices whose answer was lost, unless that is what somebody wants', async () => {
    await openAddDevices();
    await page.getByLabel(/Device names, one a line/).fill('fourth');
    await page.route(
      (url) => url.href.endsWith(`/v1/products/${PRODUCT}/devices`),
      async (route) => {
        await route.fetch();
        await route.abort();
      },
      { times: 1 },
    );
    await button('Add 1 device').click();
    await dialog().getByText('The server does not answer').waitFor();
    await button('Cancel').click();
    await dialog().getByText('Leave before the secrets are here?').waitFor();
    await button('Go back').click();
    // Another list, and the same one once more.
    for (const list of ['fourth\nfifth', 'fourth']) await page.getByLabel(/Device names, one a line/).fill(list);
    await button('Add 1 device').click();
    await dialog()
      .getByRole('row', { name: /fourth/ })
      .waitFor();
    await button('Copy all as CSV').click();
    await button('Close').last().click();
    await dialog().waitFor({ state: 'detached' });
  });

  it('a refusal is no reason to ask: nobody has been added', async () => {
    await openAddDevices();
    await page.getByLabel(/Device names, one a line/).fill('first');
    await button('Add 1 device').click();
    await dialog().getByText('A device of that name exists').waitFor();
    await button('Cancel').click();
    await dialog().waitFor({ state: 'detached' });
  });

  it('a new product has the name that was sent', async () => {
    await page.goto('/devices?dialog=product');
    await page.getByLabel('Product name').fill('Meter');
    const held = await pressAndTry('Create', '/v1/products');
    held.letGo();
    await dialog().waitFor({ state: 'detached' });
  });

  it('a verification is of the devices that were sent', async () => {
    await page.goto(`/firmware/${firmwareId}`);
    await page.getByRole('button', { name: 'Validate Firmware' }).click();
    for (const name of ['first', 'second']) {
      await dialog()
        .getByRole('row', { name: new RegExp(name) })
        .getByRole('checkbox')
        .check();
    }
    const held = await pressAndTry('Validate on 2 devices', `/v1/firmware/${firmwareId}/verifications`);
    held.letGo();
    await page.getByRole('heading', { name: 'Verification to lamp 2.0.0' }).waitFor();
  });

  it('what was confirmed of one device is not taken for the confirmation of another', async () => {
    const row = (name: string) => page.getByRole('row', { name: new RegExp(name) });
    await row('first').getByRole('button', { name: 'Cancel' }).click();
    const held = await hold('/devices/first/cancel');
    await dialog().getByText('This affects 1 device.').waitFor();
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    await held.first;
    await expectLocked('Go back');
    held.letGo();
    await dialog().waitFor({ state: 'detached' });
    const other = page.waitForRequest((request) => request.url().endsWith('/devices/second/cancel'));
    await row('second').getByRole('button', { name: 'Cancel' }).click();
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    await other;
    await dialog().waitFor({ state: 'detached' });
    expect(page.faults).toEqual([]);
  });
});
