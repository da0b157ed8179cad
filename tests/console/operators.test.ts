import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violationsOf } from './accessibility.js';
import type { Fleet } from './fleet.js';
import { ADMIN_TOKEN, Ground } from './ground.js';

/* What an operator must be able to see, to reach and to keep, on every screen. */

let ground: Ground;
let fleet: Fleet;
beforeAll(async () => {
  ground = await Ground.open();
  fleet = await ground.openFleet();
});
afterAll(() => ground.close());

const dialog = (page: Page) => page.getByRole('dialog');

describe('Each list', () => {
  const lists = () =>
    [
      ['/firmware', ['Validate Firmware', 'Batch Update', 'Delete']],
      [`/tasks/${fleet.batchId}?tab=notified`, ['Cancel']],
      ['/tasks', []],
      ['/devices', []],
      [`/firmware/${fleet.firmwareId}`, ['Validate Firmware', 'Batch Update', 'Delete']],
      [`/devices/${fleet.productKey}/lamp-02`, []],
    ] as const;

  it.each([1440, 1024, 390])('has its actions and its status within a screen of %d px', async (width) => {
    const viewport = { width, height: 900 };
    await ground.ferry.addFirmware(fleet.productKey, '一个名字很长的固件一个名字很长的固件', `3.${width}.0`);
    const page = await ground.signedIn('/', { viewport });
    for (const [path, actions] of lists()) {
      await page.goto(path);
      await page.getByRole('table').first().waitFor();
      for (const name of actions) {
        const buttons = await page.getByRole('button', { name, exact: true }).all();
        expect(buttons.length, `${path} ${name}`).toBeGreaterThan(0);
        for (const button of buttons) {
          const box = await button.boundingBox();
          expect(box, `${path} ${name}`).not.toBeNull();
          expect(box?.x, `${path} ${name}`).toBeGreaterThanOrEqual(0);
          expect((box?.x ?? 0) + (box?.width ?? 0), `${path} ${name}`).toBeLessThanOrEqual(width);
        }
      }
      // Nothing of a row lies beyond the edge, and the page itself does not scroll sideways.
      const overflow = await page.evaluate<number>(
        `Math.max(...[document.documentElement, ...document.querySelectorAll('[role=table]')]
          .map((one) => Math.round(one.getBoundingClientRect().right - innerWidth)), document.documentElement.scrollWidth - innerWidth)`,
      );
      expect(overflow, path).toBeLessThanOrEqual(0);
    }
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('Every page, once its content is there,', () => {
  it.each(['light', 'dark'] as const)('keeps the rules of accessibility (%s)', async (colorScheme) => {
    const page = await ground.signedIn('/', { colorScheme });
    const table = () => page.getByRole('table').first().waitFor();
    const opened = async (name: string) => {
      await table();
      await page.getByRole('button', { name }).first().click();
      await dialog(page).waitFor();
    };
    const pages: readonly (readonly [string, () => Promise<unknown>])[] = [
      [
        '/',
        () =>
          page
            .getByRole('link', { name: /lamp-0/ })
            .first()
            .waitFor(),
      ],
      ['/firmware', table],
      ['/tasks', table],
      ['/devices', table],
      [`/firmware/${fleet.firmwareId}`, table],
      [`/tasks/${fleet.batchId}`, table],
      [`/tasks/${fleet.batchId}?tab=failed`, table],
      [`/devices/${fleet.productKey}/lamp-02`, table],
      ['/firmware?dialog=new', () => dialog(page).waitFor()],
      ['/devices?dialog=add', () => dialog(page).waitFor()],
      [`/firmware/${fleet.firmwareId}`, () => opened('Validate Firmware')],
      [`/firmware/${fleet.firmwareId}`, () => opened('Batch Update')],
      [`/firmware/${fleet.firmwareId}`, () => opened('Delete')],
    ];
    for (const [path, isThere] of pages) {
      await page.goto(path);
      await isThere();
      if (path.endsWith('dialog=new')) {
        await dialog(page).getByRole('button', { name: 'Add', exact: true }).click();
        await dialog(page)
          .getByText('Choose the firmware file')
          .or(dialog(page).getByText('Only Chinese'))
          .first()
          .waitFor();
      }
      expect({ path, violations: await violationsOf(page) }).toEqual({ path, violations: [] });
    }
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('The outcome', () => {
  it('of a batch and of a verification is in the words of its status, and before a batch is started', async () => {
    const page = await ground.signedIn('/tasks');
    await page.getByText('Completed · 1 of 2 succeeded').first().waitFor();
    await page.goto(`/firmware/${fleet.firmwareId}`);
    await page.getByText('Verified · 1 of 2 succeeded').waitFor();
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog(page).getByText('Verified, but only 1 of 2 devices succeeded in the latest verification').waitFor();
    await page.context().close();
  });
});

describe('A device’s history', () => {
  it('says to which firmware, by what, and when to the second', async () => {
    const page = await ground.signedIn(`/devices/${fleet.productKey}/lamp-02`);
    const history = page.getByRole('table');
    await history.getByRole('link', { name: 'Batch update to lamp_main 2.0.0' }).waitFor();
    await history.getByText('from 1.0.0 · attempt 1 · started by admin').waitFor();
    expect(await history.getByText(/First progress/).innerText()).toMatch(/\d:\d\d:\d\d/);
    await page.context().close();
  });
});

describe('Devices that can’t take part', () => {
  it('are named with their problem, and taken off the list by a button', async () => {
    const page = await ground.signedIn(`/firmware/${fleet.firmwareId}`);
    await page.getByRole('button', { name: 'Batch Update' }).click();
    await dialog(page)
      .getByRole('checkbox', { name: /0\.9\.4/ })
      .check();
    const list = dialog(page).getByLabel(/Only these devices/);
    await list.fill('lamp-13\nnope-1\nlamp-14\nnope-2');
    const refused = dialog(page).getByRole('list', { name: 'Devices that can not take part' });
    await refused.getByRole('listitem').first().waitFor();
    expect(await refused.getByRole('listitem').allInnerTexts()).toEqual([
      expect.stringContaining('nope-1: does not exist'),
      expect.stringContaining('nope-2: does not exist'),
    ]);
    await dialog(page).getByRole('button', { name: 'Take these 2 off the list' }).click();
    await dialog(page).getByRole('button', { name: 'Update 2 devices' }).waitFor();
    expect(await list.inputValue()).toBe('lamp-13\nlamp-14');
    await page.context().close();
  });
});

describe('Secrets', () => {
  it('are not lost by Esc, by the cross or by going back, unless they are kept; the port is the real one', async () => {
    const page = await ground.signedIn('/');
    await page.getByRole('navigation').getByText('Devices').click();
    await page.getByRole('button', { name: 'Add devices' }).click();
    await page.getByLabel(/Device names, one a line/).fill('kept-1');
    await page.getByRole('button', { name: 'Add 1 device' }).click();
    const secrets = page.getByText('These secrets are shown only now');
    await secrets.waitFor();
    const mqttUrl = new URL(ground.ferry.mqttUrl);
    const connection = page.getByText('clientId', { exact: false });
    expect(await connection.innerText()).toContain(`${mqttUrl.hostname}\nport      ${mqttUrl.port} without TLS`);
    const question = page.getByRole('dialog', { name: 'Close without keeping the secrets?' });
    for (const leave of [
      () => page.keyboard.press('Escape'),
      () => page.getByRole('button', { name: 'Close', exact: true }).first().click(),
      () => page.goBack(),
    ]) {
      await leave();
      await question.getByRole('button', { name: 'Go back' }).click();
      await question.waitFor({ state: 'detached' });
      expect(await secrets.isVisible()).toBe(true);
    }
    await page.getByRole('button', { name: 'Copy all as CSV' }).click();
    await page.getByText('Copied', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Close', exact: true }).last().click();
    await secrets.waitFor({ state: 'detached' });
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('A session that ends', () => {
  it.each([401, 429])('by %d asks to sign in again, and keeps what was typed', async (status) => {
    const page = await ground.signedIn('/firmware?dialog=new');
    await page.getByLabel('Firmware name').fill('typed_before');
    await page.request.delete('/v1/session', { headers: { 'x-ferry-console': '1' } });
    if (status === 429) {
      const body = { type: 'about:blank', title: 'x', status, code: 'too-many-requests', detail: 'x' };
      await page.route('**/v1/overview', (route) => route.fulfill({ status, json: body }));
    }
    // What asks next finds out.
    await page.evaluate(`history.pushState({}, '', '/'); dispatchEvent(new PopStateEvent('popstate'))`);
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
    await page.context().close();
  });

  it('keeps the form that is open, and sends it afterwards', async () => {
    const page = await ground.signedIn('/devices');
    await page.getByRole('button', { name: 'Add devices' }).click();
    await page.getByLabel(/Device names, one a line/).fill(`again-1`);
    // The stream of events ends with the session, so that the page finds out at once.
    await page.request.delete('/v1/session', { headers: { 'x-ferry-console': '1' } });
    await page.getByRole('heading', { name: 'Sign in again' }).waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    await page.getByLabel('Token').fill(ADMIN_TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: 'Add 1 device' }).click();
    await page.getByText('These secrets are shown only now').waitFor();
    expect(page.faults).toEqual([]);
    await page.context().close();
  });

  it('gives a visitor the sign-in page also behind an address that is held back', async () => {
    const page = await ground.visit('about:blank');
    await page.route('**/v1/session', (route) =>
      route.fulfill({ status: 429, json: { code: 'too-many-requests', status: 429, detail: 'x' } }),
    );
    await page.goto('/');
    await page.getByLabel('Token').waitFor();
    await page.context().close();
  });
});

describe('A page that can’t be renewed', () => {
  it.each([500, 429])('says as of when it is (%d), and goes on by itself', async (status) => {
    const page = await ground.signedIn('/');
    await page.getByText('Running tasks').waitFor();
    await page.route('**/v1/overview', (route) =>
      route.fulfill({ status, json: { code: status === 429 ? 'too-many-requests' : 'internal', status, detail: 'x' } }),
    );
    const stale = page.getByText(/^As of \d/);
    await stale.waitFor();
    await page.unroute('**/v1/overview');
    await page.getByRole('button', { name: 'Try again' }).click();
    await stale.waitFor({ state: 'detached' });
    await page.context().close();
  });
});

describe('A damaged firmware file', () => {
  it('is named on the page of the firmware, and mended there by the same file', async () => {
    const content = Buffer.from('a firmware of its own');
    const { body } = await ground.ferry.addFirmware(fleet.productKey, 'to_mend', '7.0.0', content);
    const { body: firmware } = await ground.ferry.get<{ sha256: string }>(`/v1/firmware/${body.id}`);
    const entries = await readdir(ground.ferry.folder, { recursive: true });
    const stored = entries.find((entry) => entry.endsWith(firmware.sha256)) ?? '';
    await writeFile(join(ground.ferry.folder, stored), 'no firmware at all');
    const page = await ground.signedIn(`/firmware/${body.id}`);
    await page.getByText('The stored file is damaged').waitFor();
    await page.getByRole('button', { name: 'Upload again' }).click();
    const choose = (buffer: Buffer) =>
      page
        .locator('input[type=file]')
        .setInputFiles({ name: 'main.bin', mimeType: 'application/octet-stream', buffer });
    await choose(Buffer.from('another one'));
    await dialog(page).getByRole('button', { name: 'Upload again' }).click();
    await dialog(page).getByText('is another file than the one').waitFor();
    await choose(content);
    await dialog(page).getByRole('button', { name: 'Upload again' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await page.getByText('The stored file is damaged').waitFor({ state: 'detached' });
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});
