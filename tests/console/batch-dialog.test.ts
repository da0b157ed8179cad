import type { Route } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WatchedPage } from './browser.js';
import { openFleet, type Fleet } from './fleet.js';
import { Ground } from './ground.js';

let ground: Ground;
let fleet: Fleet;
let page: WatchedPage;
beforeAll(async () => {
  ground = await Ground.open();
  fleet = await openFleet(ground.ferry);
  page = await ground.signedIn('/');
});
afterAll(async () => {
  await fleet.leave();
  await ground.close();
});

const dialog = () => page.getByRole('dialog');
const ok = (name: string | RegExp) => dialog().getByRole('button', { name });
const list = () => dialog().getByLabel(/Only these devices/);

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
