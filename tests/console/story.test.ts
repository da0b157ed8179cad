import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../e2e/device.js';
import { violationsOf } from './accessibility.js';
import type { WatchedPage } from './browser.js';
import { Ground } from './ground.js';

/* The seed's story by clicking, in one browser, from an empty service to re-initiated failures. */

let ground: Ground;
let page: WatchedPage;
let folder: string;
const devices = new Map<string, Device>();
const secrets = new Map<string, string>();
let productKey = '';
const device = (name: string): Device => devices.get(name) as Device;

beforeAll(async () => {
  ground = await Ground.open();
  folder = await mkdtemp(join(tmpdir(), 'ferry-story-'));
  page = await ground.signedIn('/devices');
  page.setDefaultTimeout(15_000);
});
afterAll(async () => {
  for (const each of devices.values()) await each.leave();
  await ground.close();
  await rm(folder, { recursive: true, force: true });
});

const button = (name: string | RegExp) => page.getByRole('button', { name }).first();
const dialog = () => page.getByRole('dialog');

describe('an operator', () => {
  it('creates a product and adds devices, whose secrets are shown once', async () => {
    await button('New product').click();
    await page.getByLabel('Product name').fill('Street lamp');
    await dialog().getByRole('button', { name: 'Create' }).click();
    await dialog().waitFor({ state: 'detached' });
    await button('Add devices').click();
    await page.getByLabel(/Device names, one a line/).fill('lamp-1\nlamp-2\nbad name\nlamp-3\n');
    await dialog().getByRole('button', { name: 'Add 4 devices' }).click();
    await page.getByText('line 3, deviceName', { exact: false }).waitFor();
    await page.getByLabel(/Device names, one a line/).fill('lamp-1\nlamp-2\nlamp-3\n');
    await dialog().getByRole('button', { name: 'Add 3 devices' }).click();
    await page.getByText('These secrets are shown only now').waitFor();
    const [product] = (await ground.ferry.get<{ items: { productKey: string }[] }>('/v1/products')).body.items;
    for (const name of ['lamp-1', 'lamp-2', 'lamp-3']) {
      const secret = await dialog()
        .getByRole('row', { name: new RegExp(name) })
        .locator('code')
        .innerText();
      secrets.set(name, secret);
      productKey = product?.productKey ?? '';
      const connected = await Device.connect(ground.ferry.mqttUrl, productKey, name, secret);
      await connected.runs('1.0.0');
      devices.set(name, connected);
    }
    await dialog().getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('button', { name: 'Close without them' }).click();
    await page.getByRole('link', { name: 'lamp-1' }).waitFor();
  });

  it('is told the name rule while typing, and adds a firmware', async () => {
    await page.goto('/firmware');
    await page.getByText('No firmware yet').waitFor();
    await button('New Firmware').click();
    await page.getByLabel('Firmware name').fill('main!');
    await dialog().getByText('Only Chinese characters, English letters').last().waitFor();
    await page.getByLabel('Firmware name').fill('main');
    await page.getByLabel('Version').fill('2.0.0');
    const file = join(folder, 'main.bin');
    await writeFile(file, 'firmware 2.0.0');
    await page.locator('input[type=file]').setInputFiles(file);
    await dialog().getByRole('button', { name: 'Add' }).click();
    await dialog().waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'main' }).waitFor();
    await page.getByText('Unverified').waitFor();
    await page.getByText('1 of 100 firmware; deleted ones are counted').waitFor();
    expect(await button('Batch Update').isDisabled()).toBe(true);
  });

  it('validates it on a device, and sees it succeed without loading the page again', async () => {
    await button('Validate Firmware').click();
    await dialog()
      .getByRole('row', { name: /lamp-1/ })
      .getByRole('checkbox')
      .check();
    await dialog().getByRole('button', { name: 'Validate on 1 device' }).click();
    await page.getByRole('heading', { name: 'Verification to main 2.0.0' }).waitFor();
    await device('lamp-1').update();
    await page.getByText('Completed', { exact: true }).waitFor();
    await page
      .getByRole('row', { name: /lamp-1/ })
      .getByText('Succeeded')
      .waitFor();
  });

  it('starts a batch update after seeing what will happen', async () => {
    await page.goto('/firmware');
    await page.getByText('Verified', { exact: true }).waitFor();
    await button('Batch Update').click();
    await dialog()
      .getByRole('checkbox', { name: /1\.0\.0/ })
      .check();
    await dialog().getByText('2 online: notified at once').waitFor();
    await dialog().getByRole('button', { name: 'Update 2 devices' }).click();
    await page.getByRole('heading', { name: 'Batch update to main 2.0.0' }).waitFor();
    await device('lamp-2').notification();
    await device('lamp-2').progress(40);
    await page
      .getByRole('row', { name: /lamp-2/ })
      .getByText('Upgrading 40%')
      .waitFor();
  });

  it('sees the same as a second operator, both without loading again', async () => {
    const second = await ground.signedIn(new URL(page.url()).pathname);
    await second.getByRole('row', { name: /lamp-2/ }).waitFor();
    await device('lamp-2').progress(60);
    for (const each of [page, second]) {
      await each
        .getByRole('row', { name: /lamp-2/ })
        .getByText('Upgrading 60%')
        .waitFor();
    }
    expect(second.faults).toEqual([]);
    await second.context().close();
  });

  it('is told that the server is away, can change nothing meanwhile, and misses nothing over its restart', async () => {
    const mqttUrl = () => ground.ferry.mqttUrl;
    await ground.ferry.pause();
    await page.getByText('The server does not answer').first().waitFor();
    expect(await button('Cancel task').isDisabled()).toBe(true);
    await ground.ferry.again();
    for (const name of ['lamp-1', 'lamp-2', 'lamp-3']) {
      devices.set(name, await Device.connect(mqttUrl(), productKey, name, secrets.get(name) ?? ''));
    }
    await device('lamp-2').progress(80);
    await page
      .getByRole('row', { name: /lamp-2/ })
      .getByText('Upgrading 80%')
      .waitFor();
    expect(await button('Cancel task').isDisabled()).toBe(false);
  });

  it('is shown the conflict, with the way to the other task, before it starts another one', async () => {
    const added = await ground.ferry.addFirmware(productKey, 'main', '3.0.0');
    const verification = await ground.ferry.post<{ id: string }>(`/v1/firmware/${added.body.id}/verifications`, {
      deviceNames: ['lamp-1'],
    });
    expect(verification).toMatchObject({ status: 202 });
    await device('lamp-1').notification();
    expect(await ground.ferry.post(`/v1/tasks/${verification.body.id}/end`)).toMatchObject({ status: 202 });
    await ground.ferry.until<{ status: string }>(
      `/v1/tasks/${verification.body.id}`,
      ({ status }) => status === 'completed',
    );
    await page.goto(`/firmware/${added.body.id}`);
    await button('Batch Update').click();
    await dialog()
      .getByRole('checkbox', { name: /1\.0\.0/ })
      .check();
    await dialog().getByText('Update task conflict').waitFor();
    expect(await dialog().getByRole('button', { name: 'Solve the conflict first' }).isDisabled()).toBe(true);
    await dialog().getByRole('alert').filter({ hasText: 'Update task conflict' }).getByRole('link').click();
    await page.getByRole('heading', { name: 'Batch update to main 2.0.0' }).waitFor();
  });

  it('reads the failure list by cause, and re-initiates what failed', async () => {
    await device('lamp-2').progress(-4, 'flash is full');
    await device('lamp-3').notification();
    await device('lamp-3').progress(100);
    await device('lamp-3').runs('2.0.0');
    await page.getByText('Completed · 1 of 2 succeeded').waitFor();
    await page.getByText('Update failure list 1').click();
    const row = page.getByRole('row', { name: /lamp-2/ });
    await row.getByText('Extraction or flashing failed').waitFor();
    await row.getByText('flash is full', { exact: false }).waitFor();
    expect(new URL(page.url()).searchParams.get('tab')).toBe('failed');
    await row.getByRole('checkbox').check();
    await button('Re-initiate 1 selected').click();
    await dialog().getByText('This affects 1 device.').waitFor();
    await dialog().getByRole('button', { name: 'Re-initiate 1 selected' }).click();
    await page.getByRole('link', { name: 'the task before' }).waitFor();
    await device('lamp-2').update();
    await page.getByText('Completed', { exact: true }).waitFor();
  });

  it('finds all of it in the records, and in the story of the device', async () => {
    await page.goto('/tasks?kind=batch');
    await page.getByRole('link', { name: 'Re-initiated' }).waitFor();
    expect(await page.getByRole('row').count()).toBe(3);
    await page.goto('/devices');
    await page.getByRole('link', { name: 'lamp-2' }).click();
    await page.getByText('Every update').first().waitFor();
    await page.getByText('attempt 2', { exact: false }).waitFor();
    await page.getByText('flash is full', { exact: false }).waitFor();
  });

  it('cancels only after being asked, and is told what that does', async () => {
    const { items } = (await ground.ferry.get<{ items: { id: string }[] }>('/v1/firmware')).body;
    const task = await ground.ferry.post<{ id: string }>(`/v1/firmware/${items[0]?.id ?? ''}/verifications`, {
      deviceNames: ['lamp-2', 'lamp-3'],
    });
    await page.goto(`/tasks/${task.body.id}`);
    await button('Cancel task').click();
    await dialog().getByText('This affects 2 devices.').waitFor();
    await dialog().getByRole('button', { name: 'Cancel task' }).click();
    await page.getByText('Cancelled', { exact: true }).first().waitFor();
  });

  it('meets no fault and no serious violation of accessibility on the way', async () => {
    const { items } = (
      await ground.ferry.get<{ items: { id: string; firmware: { id: string }; counts: { failed: number } }[] }>(
        '/v1/tasks',
      )
    ).body;
    const failed = items.find(({ counts }) => counts.failed > 0);
    const details = [`/tasks/${items[0]?.id ?? ''}`, `/tasks/${failed?.id ?? ''}?tab=failed`];
    details.push(`/firmware/${items[0]?.firmware.id ?? ''}`, `/devices/${productKey}/lamp-2`);
    for (const path of [
      '/',
      '/firmware',
      '/firmware?dialog=new',
      '/tasks',
      '/devices',
      '/devices?dialog=add',
      ...details,
    ]) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (path !== '/') await page.getByRole('table').first().waitFor();
      if (path.includes('dialog=')) await dialog().waitFor();
      expect({ path, violations: await violationsOf(page) }).toEqual({ path, violations: [] });
    }
    expect(page.faults).toEqual([]);
  });

  it('reads it in 简体中文 as well', async () => {
    const chinese = await ground.signedIn('/firmware', { locale: 'zh-CN' });
    await chinese.getByRole('heading', { name: '固件升级' }).waitFor();
    await chinese.getByRole('button', { name: '新增固件' }).waitFor();
    expect(chinese.faults).toEqual([]);
    await chinese.close();
  });
});
