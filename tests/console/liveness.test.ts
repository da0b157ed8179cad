import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Ground } from './ground.js';

/* The live stream is refused, and the service answers everything else: the page says so, and asks by itself. */

let ground: Ground;
let taskIds: string[];
const PRODUCT = 'lamps';
const NOT_LIVE = 'This page is not live';
beforeAll(async () => {
  ground = await Ground.open();
  const { ferry } = ground;
  await ferry.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
  const names = ['lamp-1', 'lamp-2'];
  await ferry.post(`/v1/products/${PRODUCT}/devices`, { devices: names.map((deviceName) => ({ deviceName })) });
  const { id } = (await ferry.addFirmware(PRODUCT, 'lamp', '2.0.0')).body;
  taskIds = [];
  for (const name of names) {
    const { body } = await ferry.post<{ id: string }>(`/v1/firmware/${id}/verifications`, { deviceNames: [name] });
    taskIds.push(body.id);
    await ferry.until<{ status: string }>(`/v1/tasks/${body.id}`, ({ status }) => status === 'running');
  }
});
afterAll(() => ground.close());

const problem = (status: number, headers: Record<string, string> = {}) => ({
  ...{ status, headers, contentType: 'application/problem+json' },
  body: JSON.stringify({ status, detail: 'Not now.', code: status === 429 ? 'too-many-requests' : 'forbidden' }),
});

describe('A page whose live stream is refused', () => {
  it('since there are too many goes on live as soon as it may, and says so until then', async () => {
    const page = await ground.signedIn('/');
    const askedAt: number[] = [];
    let isFull = true;
    await page.route(`**/v1/tasks/${taskIds[0]}/events`, (route) => {
      askedAt.push(Date.now());
      return isFull ? route.fulfill(problem(429, { 'retry-after': '3' })) : route.fallback();
    });
    await page.goto(`/tasks/${taskIds[0]}`);
    await page.getByText(NOT_LIVE).waitFor();
    // It answers: what can be done can be done.
    expect(await page.getByText('The server does not answer').count()).toBe(0);
    expect(await page.getByRole('button', { name: 'Cancel task' }).isEnabled()).toBe(true);
    isFull = false;
    await page.getByText(NOT_LIVE).waitFor({ state: 'detached' });
    expect((askedAt[1] ?? 0) - (askedAt[0] ?? 0)).toBeGreaterThanOrEqual(3_000);
    await ground.ferry.post(`/v1/tasks/${taskIds[0]}/cancel`);
    await page.getByRole('button', { name: 'Cancel task' }).waitFor({ state: 'detached' });
    expect(page.faults).toEqual([]);
    await page.context().close();
  });

  it('for any other reason shows what has changed all the same', async () => {
    const page = await ground.signedIn('/');
    await page.route('**/events', (route) => route.fulfill(problem(403)));
    await page.goto(`/tasks/${taskIds[1]}`);
    await page.getByText(NOT_LIVE).waitFor();
    await page.getByRole('button', { name: 'Cancel task' }).waitFor();
    await ground.ferry.post(`/v1/tasks/${taskIds[1]}/cancel`);
    await page.getByRole('button', { name: 'Cancel task' }).waitFor({ state: 'detached', timeout: 60_000 });
    await page.unroute('**/events');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(NOT_LIVE).waitFor({ state: 'detached' });
    expect(page.faults).toEqual([]);
    await page.context().close();
  });
});
