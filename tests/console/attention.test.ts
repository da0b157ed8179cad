import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Device } from '../e2e/device.js';
import { violationsOf } from './accessibility.js';
import { Ground } from './ground.js';

/* What waits, and what is under way: shown wherever an operator would look for it. */

let ground: Ground;
let devices: Device[];
let firmwareId: string;
let batchId: string;
let ada: string;
const PRODUCT = 'lamps';

beforeAll(async () => {
  ground = await Ground.open({ FERRY_APPROVAL_ABOVE: '1' });
  const { ferry } = ground;
  await ferry.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
  const { body } = await ferry.post<{ devices: { deviceName: string; deviceSecret: string }[] }>(
    `/v1/products/${PRODUCT}/devices`,
    { devices: ['lamp-1', 'lamp-2', 'lamp-3'].map((deviceName) => ({ deviceName })) },
  );
  devices = await Promise.all(
    body.devices.map(({ deviceName, deviceSecret }) =>
      Device.connect(ferry.mqttUrl, PRODUCT, deviceName, deviceSecret),
    ),
  );
  for (const device of devices) await device.runs('1.0.0');
  firmwareId = (await ferry.addFirmware(PRODUCT, 'lamp', '2.0.0')).body.id;
  const verification = await ferry.post<{ id: string }>(`/v1/firmware/${firmwareId}/verifications`, {
    deviceNames: ['lamp-1'],
  });
  await devices[0]?.update();
  await ferry.until<{ status: string }>(`/v1/tasks/${verification.body.id}`, ({ status }) => status === 'completed');
  ada = await ground.operator('Ada', 'operator');
  const batch = await ferry.call<{ id: string }>(
    'POST',
    `/v1/firmware/${firmwareId}/batch-updates`,
    { sourceVersions: ['1.0.0'] },
    { authorization: `Bearer ${ada}` },
  );
  batchId = batch.body.id;
  await ferry.until<{ status: string }>(`/v1/tasks/${batchId}`, ({ status }) => status === 'awaiting-approval');
});
afterAll(async () => {
  for (const device of devices) await device.leave();
  await ground.close();
});

describe('A batch that waits for a second operator', () => {
  it('is what waits on the overview, and looks like it among the running tasks', async () => {
    const page = await ground.signedIn('/');
    const waits = page.getByRole('region', { name: 'Waits for you' });
    await waits
      .getByRole('link', { name: 'The update of 2 devices to lamp 2.0.0 waits for a second operator' })
      .waitFor();
    expect(await page.getByText('Nothing waits for you.').count()).toBe(0);
    const running = page.getByRole('region', { name: 'Running tasks' });
    await running.getByText('Awaiting approval').waitFor();
    await page.context().close();
  });

  it('shows that it is being cancelled, or ended, and does not ask for more', async () => {
    const page = await ground.signedIn('/');
    // No event puts the real state in place of this one.
    await page.route('**/events', () => undefined);
    await page.route(`**/v1/tasks/${batchId}`, async (route) => {
      const response = await route.fetch();
      const task = (await response.json()) as object;
      await route.fulfill({ response, json: { ...task, cancelRequestedAt: '2030-01-31T12:00:00Z' } });
    });
    await page.goto(`/tasks/${batchId}`);
    await page.getByRole('alert').getByText('Being cancelled').waitFor();
    expect(await page.getByRole('button', { name: 'Cancel task' }).isDisabled()).toBe(true);
    expect(await page.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    await page.context().close();
  });

  it('can’t be decided by who has created it, nor by a viewer, and waits for neither', async () => {
    const eve = await ground.operator('Eve', 'viewer');
    for (const [token, who, reason] of [
      [ada, 'Ada', 'You have created this batch: somebody else must approve it'],
      [eve, 'Eve', 'Your role (Viewer) may not do this. Ask an administrator for the permission.'],
    ] as const) {
      const page = await ground.signedInBy(token, '/');
      await page.getByText('Nothing waits for you.').waitFor();
      await page.getByRole('banner').getByText(who).waitFor();
      await page.goto(`/tasks/${batchId}`);
      await page.getByRole('note', { name: reason }).first().waitFor();
      expect(await page.getByRole('button', { name: 'Approve' }).isDisabled()).toBe(true);
      expect(await page.getByRole('button', { name: 'Reject' }).isDisabled()).toBe(true);
      expect(page.faults).toEqual([]);
      await page.context().close();
    }
  });

  it('is approved with a remark of one line', async () => {
    const page = await ground.signedIn(`/tasks/${batchId}`);
    await page.getByRole('button', { name: 'Approve' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Remark').pressSequentially('looked at\nthe canary');
    const sent: string[] = [];
    page.on('request', (request) => request.url().endsWith('/approve') && sent.push(request.url()));
    await dialog.getByRole('button', { name: 'Approve' }).dblclick();
    await page.getByText('Approved by admin').waitFor();
    expect(sent).toHaveLength(1);
    const log = await ground.ferry.get<{ items: unknown[] }>('/v1/audit?action=task.approve');
    expect(log.body.items).toHaveLength(1);
    await page.getByText('looked atthe canary').waitFor();
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('Firmware of a product of which nobody has decided whose firmware it takes', () => {
  it('is marked in the list and on its page, with what to do, until somebody has decided', async () => {
    const page = await ground.signedIn('/');
    // As of records that were rebuilt.
    await page.route('**/v1/products?*', async (route) => {
      const response = await route.fetch();
      const { items } = (await response.json()) as { items: object[] };
      await route.fulfill({ response, json: { items: items.map((item) => ({ ...item, trustUndecided: true })) } });
    });
    const mark = page.getByText('Trust undecided', { exact: true });
    const remedy = page.getByRole('alert').getByText('The records were rebuilt.');
    for (const path of ['/firmware', `/firmware/${firmwareId}`]) {
      await page.goto(path);
      await mark.waitFor();
      await remedy.waitFor();
      expect(await violationsOf(page), path).toEqual([]);
    }
    await page.unroute('**/v1/products?*');
    for (const path of ['/firmware', `/firmware/${firmwareId}`]) {
      const products = page.waitForResponse(/\/v1\/products\?/);
      await page.goto(path);
      await products;
      await page.getByRole('table').first().waitFor();
      expect(await mark.count(), path).toBe(0);
    }
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('A page', () => {
  it('goes on live when the service has lost the changes that it knew of, also if it had seen none', async () => {
    const page = await ground.signedIn('/');
    // As of a service whose data folder was exchanged for an older one afterwards.
    await page.route(
      `**/v1/tasks/${batchId}/events`,
      (route) => route.fulfill({ contentType: 'text/event-stream', body: 'data:\nid: 999999999\n\n' }),
      { times: 1 },
    );
    const events = { status: 0 };
    const isAnswer = (status: number) => (response: { url(): string; status(): number }) =>
      response.url().endsWith(`/${batchId}/events`) && response.status() === status && events.status === 400;
    const refused = page.waitForResponse((response) => {
      if (response.status() === 400) events.status = 400;
      return isAnswer(400)(response);
    });
    const resumed = page.waitForResponse(isAnswer(200));
    await page.goto(`/tasks/${batchId}`);
    await refused;
    await resumed;
    await devices[1]?.notification();
    await devices[1]?.progress(42);
    await page
      .getByRole('row', { name: /lamp-2/ })
      .getByText('Upgrading 42%')
      .waitFor();
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});

describe('The devices', () => {
  it('that are revoked are shown as such, in the list and on their page', async () => {
    await ground.ferry.post(`/v1/products/${PRODUCT}/devices/lamp-3/revoke`);
    const page = await ground.signedIn('/devices');
    await page
      .getByRole('row', { name: /lamp-3/ })
      .getByText('Revoked')
      .waitFor();
    await page.getByRole('link', { name: 'lamp-3' }).click();
    await page.getByText('it may not sign in').waitFor();
    await page.context().close();
  });

  it('whose name two units use say when, and from which addresses', async () => {
    const { ferry } = ground;
    const { body } = await ferry.post<{ devices: { deviceSecret: string }[] }>(`/v1/products/${PRODUCT}/devices`, {
      devices: [{ deviceName: 'lamp-4' }],
    });
    const secret = body.devices[0]?.deviceSecret ?? '';
    const units: Device[] = [];
    // Each new one takes the connection from the one before: the third time, that is a name clash.
    for (let n = 0; n < 4; n++) units.push(await Device.connect(ferry.mqttUrl, PRODUCT, 'lamp-4', secret));
    const path = `/v1/products/${PRODUCT}/devices/lamp-4`;
    await ferry.until<{ nameClash: object | null }>(path, ({ nameClash }) => nameClash !== null);
    const page = await ground.signedIn(`/devices/${PRODUCT}/lamp-4`);
    await page.getByText('Two units use this name').waitFor();
    expect(await page.getByRole('definition').allInnerTexts()).toContainEqual(
      expect.stringMatching(/ · 127\.0\.0\.1$/),
    );
    expect(page.faults).toEqual([]);
    await page.context().close();
    for (const unit of units) await unit.leave();
  });

  it('are all there again once the filter is taken away, and the search is empty', async () => {
    const page = await ground.signedIn('/devices');
    const search = page.getByRole('searchbox');
    await search.fill('nothing');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Take the filter away' }).click();
    await page.getByRole('link', { name: 'lamp-1' }).waitFor();
    expect(await search.inputValue()).toBe('');
    await search.fill('lamp-2');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'lamp-1' }).waitFor({ state: 'detached' });
    expect(page.url()).toContain('search=lamp-2');
    await page.context().close();
  });
});
