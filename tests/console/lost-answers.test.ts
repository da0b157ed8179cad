import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WatchedPage } from './browser.js';
import { Ground } from './ground.js';

/* The service has done what it was asked, and its answer is lost: pressing again shows what was done. */

let ground: Ground;
let page: WatchedPage;
const PRODUCT = 'lamps';
beforeAll(async () => {
  ground = await Ground.open();
  await ground.addProduct(PRODUCT, 'Lamp', ['first', 'second']);
  page = await ground.signedIn('/');
});
afterAll(() => ground.close());

const dialog = () => page.getByRole('dialog');
/** The service does the next thing that it is asked there; its answer does not arrive. */
async function loseAnswerOf(path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  session.once('Fetch.requestPaused', ({ requestId }) => {
    void session.send('Fetch.failRequest', { requestId, errorReason: 'ConnectionReset' }).then(() => session.detach());
  });
  // Lists are asked for with a query, and do not match.
  await session.send('Fetch.enable', { patterns: [{ urlPattern: `*${path}`, requestStage: 'Response' }] });
}
/** A button that was loading may go on saying so to those who hear it: the library's icon fades out. */
const press = (name: string) =>
  dialog()
    .getByRole('button', { name: new RegExp(`^(loading )?${name}$`) })
    .click();
const lost = () => dialog().getByText('The server does not answer').waitFor();

describe('Pressing again after a lost answer', () => {
  it('shows the secrets of the devices that were added', async () => {
    await page.goto(`/devices?product=${PRODUCT}&dialog=add`);
    await page.getByLabel(/Device names, one a line/).fill('third');
    await loseAnswerOf(`/v1/products/${PRODUCT}/devices`);
    await press('Add 1 device');
    await lost();
    await press('Add 1 device');
    await page.getByText('These secrets are shown only now').waitFor();
    expect(await dialog().getByRole('row', { name: /third/ }).locator('code').innerText()).toMatch(/^\S{8,}$/);
  });

  it('creates a product once', async () => {
    await page.goto('/devices?dialog=product');
    await page.getByLabel('Product name').fill('Meter');
    await loseAnswerOf('/v1/products');
    await press('Create');
    await lost();
    await press('Create');
    await dialog().waitFor({ state: 'detached' });
    const { body } = await ground.ferry.get<{ items: { name: string }[] }>('/v1/products');
    expect(body.items.map(({ name }) => name).sort()).toEqual(['Lamp', 'Meter']);
  });

  it('finds the firmware that was added', async () => {
    const file = join(ground.ferry.folder, 'lamp.bin');
    await writeFile(file, 'firmware 2.0.0');
    await page.goto(`/firmware?product=${PRODUCT}&dialog=new`);
    await page.getByLabel('Firmware name').fill('lamp');
    await page.getByLabel('Version').fill('2.0.0');
    await page.locator('input[type=file]').setInputFiles(file);
    await loseAnswerOf('/v1/firmware');
    await press('Add');
    await lost();
    await press('Add');
    await dialog().waitFor({ state: 'detached' });
    await page.getByText('1 of 100 firmware; deleted ones are counted').waitFor();
  });

  it('for something else is a request of its own', async () => {
    const { body } = await ground.ferry.get<{ items: { id: string }[] }>('/v1/firmware');
    const id = body.items[0]?.id ?? '';
    await page.goto(`/firmware/${id}`);
    await page.getByRole('button', { name: 'Validate Firmware' }).click();
    const choose = (name: string) =>
      dialog()
        .getByRole('row', { name: new RegExp(name) })
        .getByRole('checkbox')
        .check();
    await choose('first');
    await loseAnswerOf(`/v1/firmware/${id}/verifications`);
    await press('Validate on 1 device');
    await lost();
    await choose('second');
    await press('Validate on 2 devices');
    await page.getByRole('heading', { name: 'Verification to lamp 2.0.0' }).waitFor();
    expect(page.faults).toEqual([]);
  });
});
