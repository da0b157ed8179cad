import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PRODUCT, World } from './world.js';

let world: World;
let cut: string[];
beforeEach(async () => {
  cut = [];
  world = await World.open({ cutOff: async ({ deviceName }) => void cut.push(deviceName) });
  await world.product();
});
afterEach(() => world.close());

const device = (name: string) => `/v1/products/${PRODUCT}/devices/${name}`;
const audited = async () => {
  const { items } = await world.records.listAudit({}, { limit: 10 });
  return items.map(({ action, target, outcome }) => ({ action, target, outcome }));
};

describe('A device that leaves the service', () => {
  it('is cut off when it is renamed, and found under its new name only', async () => {
    const { status, body } = await world.call('PATCH', device('lamp-1'), { deviceName: 'lamp-one' });
    expect({ status, name: body['deviceName'] }).toEqual({ status: 200, name: 'lamp-one' });
    expect(cut).toEqual(['lamp-1']);
    expect((await world.get(device('lamp-1'))).status).toBe(404);
    expect((await world.get(device('lamp-one'))).status).toBe(200);
    expect(await audited()).toContainEqual({
      action: 'device.rename',
      target: `device/${PRODUCT}/lamp-1`,
      outcome: 'done',
    });
  });

  it('is cut off when it is deleted, and answered as it was', async () => {
    const { status, body } = await world.call('DELETE', device('lamp-1'));
    expect({ status, name: body['deviceName'] }).toEqual({ status: 200, name: 'lamp-1' });
    expect(cut).toEqual(['lamp-1']);
    expect(await world.call('DELETE', device('lamp-1'))).toMatchObject({ status: 404 });
  });

  it('stays connected and registered when the request is refused', async () => {
    expect(await world.call('PATCH', device('lamp-1'), { deviceName: 'lamp-2' })).toMatchObject({
      status: 409,
      body: { code: 'device-exists' },
    });
    expect(await world.call('PATCH', device('lamp-1'), { deviceName: '../up' })).toMatchObject({ status: 400 });
    expect(cut).toEqual([]);
  });
});

describe('A product', () => {
  it('can be shown, renamed, and given the rule of how many devices must have succeeded', async () => {
    const path = `/v1/products/${PRODUCT}`;
    expect((await world.get(path)).body).toMatchObject({ productKey: PRODUCT, verificationSuccessesMin: 0 });
    expect((await world.call('PATCH', path, { name: 'Lanterns' })).body).toMatchObject({ name: 'Lanterns' });
    expect((await world.call('PUT', `${path}/batch-rules`, { verificationSuccessesMin: 2 })).body).toMatchObject({
      name: 'Lanterns',
      verificationSuccessesMin: 2,
    });
    expect(await world.call('PUT', `${path}/batch-rules`, { verificationSuccessesMin: -1 })).toMatchObject({
      status: 400,
    });
    expect((await world.get('/v1/products/nothing')).status).toBe(404);
  });

  it('is deleted once it has neither devices nor firmware; until then it is told what it has', async () => {
    const path = `/v1/products/${PRODUCT}`;
    const refused = await world.call('DELETE', path);
    expect(refused).toMatchObject({ status: 409, body: { code: 'product-in-use' } });
    const { items } = await world.records.listDevices(PRODUCT, {}, { limit: 100 });
    for (const { deviceName } of items) await world.call('DELETE', device(deviceName));
    expect(await world.call('DELETE', path)).toMatchObject({ status: 200 });
    expect((await world.get(path)).status).toBe(404);
  });
});
