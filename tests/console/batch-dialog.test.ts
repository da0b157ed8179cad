import type { Route } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Device } from '../e2e/device.js';
import type { WatchedPage } from './browser.js';
import type { Fleet } from './fleet.js';
import { Ground } from './ground.js';

let ground: Ground;
let fleet: Fleet;
let page: WatchedPage;
beforeAll(async () => {
  ground = await Ground.open();
  fleet = await ground.openFleet();
  page = await ground.signedIn('/');
});
afterAll(() => ground.close());

const dialog = () => page.getByRole('dialog');
const ok = (name: string | RegExp) => dialog().getByRole('button', { name });
const list = () => dialog().getByLabel(/Only these devices/);
const advanced = () => dialog().getByRole('button', { name: /Advanced/ });
const allowDowngrades = () => dialog().getByRole('checkbox', { name: /Allow downgrades/ });

describe('The dialog of a batch update', () => {
  beforeEach(async () => {
    await page.goto(`/firmware/${fleet.firmwareId}`);
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog()
      .getByRole('checkbox', { name: /0\.9\.4/ })
      .check();
    await ok('Update 6 devices').waitFor();
  });

  it('does not take a list without a name for the whole fleet', async () => {
    await list().fill('deviceName\n');
    await dialog().getByText('Add device names to it; or empty it').waitFor();
    expect(await ok('The list names no device').isDisabled()).toBe(true);
    expect(await dialog().getByText('What will happen').count()).toBe(0);
    await list().fill('');
    await ok('Update 6 devices').waitFor();
    expect(await ok('Update 6 devices').isEnabled()).toBe(true);
  });

  it('reads a list that a spreadsheet has saved as Unicode text, which is UTF-16', async () => {
    const buffer = Buffer.from('\uFEFFDevice Name\r\nlamp-13\r\nlamp-14\r\n', 'utf16le');
    await dialog().locator('input[type=file]').setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer });
    await ok('Update 2 devices').waitFor();
  });

  it('warns of versions that are written in another way than the firmware’s', async () => {
    expect(await dialog().getByText('Perhaps newer').count()).toBe(0);
    const { productKey } = fleet;
    const { body } = await ground.ferry.post<{ devices: { deviceSecret: string }[] }>(
      `/v1/products/${productKey}/devices`,
      { devices: [{ deviceName: 'dated' }] },
    );
    const secret = body.devices[0]?.deviceSecret ?? '';
    const device = await Device.connect(ground.ferry.mqttUrl, productKey, 'dated', secret);
    await device.runs('20240115');
    await page.reload();
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog()
      .getByRole('checkbox', { name: /20240115/ })
      .check();
    await dialog().getByText('Perhaps newer than the firmware: 20240115').waitFor();
    await device.leave();
  });

  it('starts nothing while it counts what is asked for now', async () => {
    let held: Route | undefined;
    await page.route(
      '**/batch-updates/preview',
      (route) => {
        held = route;
      },
      { times: 1 },
    );
    const asked = page.waitForRequest('**/batch-updates/preview');
    await list().fill('lamp-13');
    await asked;
    expect(await ok(/^(Update|Counting)/).isDisabled()).toBe(true);
    await held?.continue();
    await ok('Update 1 devices').waitFor();
    expect(await ok('Update 1 devices').isEnabled()).toBe(true);
  });
});

describe('A downgrade', () => {
  it('is refused with a remedy that is there: in a verification, and in a batch', async () => {
    const { body: old } = await ground.ferry.addFirmware(fleet.productKey, 'lamp_main', '0.5.0');
    await page.goto(`/firmware/${old.id}`);
    await page.getByRole('button', { name: 'Validate Firmware' }).click();
    await dialog()
      .getByRole('row', { name: /lamp-13/ })
      .getByRole('checkbox')
      .check();
    await ok('Validate on 1 device').click();
    await dialog().getByText('Allow downgrades under "Advanced"').waitFor();
    await advanced().click();
    await allowDowngrades().check();
    await ok('Validate on 1 device').click();
    await page.getByRole('heading', { name: 'Verification to lamp_main 0.5.0' }).waitFor();

    const taskId = new URL(page.url()).pathname.split('/').at(-1) ?? '';
    // Of a device that is away: it can't verify. One that is there does.
    await ground.ferry.post(`/v1/tasks/${taskId}/cancel`);
    const tried = await ground.ferry.post<{ id: string }>(`/v1/firmware/${old.id}/verifications`, {
      deviceNames: ['lamp-08'],
      policy: { allowDowngrade: true },
    });
    await fleet.devices.get('lamp-08')?.notification();
    await ground.ferry.post(`/v1/tasks/${tried.body.id}/end`);
    await ground.ferry.until<{ status: string }>(`/v1/tasks/${tried.body.id}`, ({ status }) => status === 'completed');
    await page.goto(`/firmware/${old.id}`);
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog()
      .getByRole('checkbox', { name: /0\.9\.4/ })
      .check();
    await dialog().getByText('Allow downgrades under "Advanced"').waitFor();
    await advanced().click();
    await allowDowngrades().check();
    await ok('Update 6 devices').click();
    await page.getByRole('heading', { name: 'Batch update to lamp_main 0.5.0' }).waitFor();
    expect(page.faults).toEqual([]);
  });
});
