import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PRODUCT, World, type ProblemBody } from './world.js';

let world: World;
beforeAll(async () => {
  world = await World.open();
  await world.product();
});
afterAll(() => world.close());

/* What would mean something to a broker, a path, a shell or a reader. */
const FORBIDDEN = [
  '+',
  '#',
  '/',
  '$',
  '&',
  'a+b',
  'a/b',
  '$SYS',
  '..',
  '../x',
  'a\u0000',
  'a\nb',
  'a\u007f',
  'a\u202eb',
  '\ud800',
  '',
];

describe('A name that could be taken for something else', () => {
  it.each(FORBIDDEN.filter((name) => name !== '..'))('%j is no product key, device name or module', async (name) => {
    const product = await world.post<ProblemBody>('/v1/products', { productKey: name, name: 'x' });
    expect({ status: product.status, field: product.body.errors?.[0]?.field }).toEqual({
      status: 400,
      field: 'productKey',
    });
    const device = await world.post<ProblemBody>(`/v1/products/${PRODUCT}/devices`, { deviceName: name });
    expect({ status: device.status, field: device.body.errors?.[0]?.field }).toEqual({
      status: 400,
      field: 'deviceName',
    });
    const csv = await world.send<ProblemBody>('POST', `/v1/products/${PRODUCT}/devices`, {
      body: `deviceName\n"${name}"\n`,
      headers: { 'content-type': 'text/csv' },
    });
    expect(csv.status).toBe(400);
    const firmware = await world.upload<ProblemBody>({
      name: 'x',
      productKey: PRODUCT,
      version: '1',
      module: name || '/',
    });
    expect(firmware.status).toBe(400);
  });
});

describe('What devices and operators write', () => {
  it('is text in exports: no cell is a formula', async () => {
    const taskId = await world.batch();
    await world.fail(taskId, 'lamp-1', 'update-failed', '=HYPERLINK("http://evil.test","x")');
    await world.fail(taskId, 'lamp-2', 'update-failed', '@SUM(1)\u202e<script>');
    const csv = await (await world.request(`/v1/tasks/${taskId}/devices.csv`)).text();
    for (const cell of csv.split(/[,\n]/)) expect(cell).not.toMatch(/^"?[=+@\t\r-]/);
  });

  it('never becomes a header', async () => {
    const answer = await world.request(`/v1/tasks/${encodeURIComponent('x\r\nX-Injected: 1')}/devices.csv`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-injected')).toBeNull();
  });
});

describe('A page of the console behind a proxy, which asks for its own address of the service', () => {
  it('may use the session', async () => {
    await world.close();
    world = await World.open({ publicUrl: 'https://ferry.example' });
    const { app } = world.api;
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ token: 'the-admin-token-of-this-test' });
    const signedIn = await app.request('/v1/session', { method: 'POST', headers: json, body });
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
    const add = (origin: string) =>
      app.request('/v1/products', {
        method: 'POST',
        headers: { ...json, cookie, origin, host: '127.0.0.1:8080', 'x-ferry-console': '1' },
        body: JSON.stringify({ productKey: 'proxied', name: 'Lamp' }),
      });
    expect((await add('https://evil.example')).status).toBe(403);
    expect((await add('https://ferry.example')).status).toBe(201);
  });
});

describe('A page of another origin', () => {
  it('can’t use the session, not even to read or to hold a stream', async () => {
    const signedIn = await world.api.app.request('/v1/session', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ token: 'the-admin-token-of-this-test' }),
    });
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
    const get = async (headers: Record<string, string>, path = '/v1/tasks') => {
      const response = await world.api.app.request(path, { headers: { cookie, host: 'ferry.test', ...headers } });
      await response.body?.cancel();
      return response.status;
    };
    expect(await get({})).toBe(200);
    expect(await get({ origin: 'http://ferry.test', 'sec-fetch-site': 'same-origin' })).toBe(200);
    for (const headers of [
      { origin: 'http://evil.test' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ] as Record<string, string>[]) {
      expect(await get(headers), JSON.stringify(headers)).toBe(403);
      expect(await get({ ...headers, 'x-ferry-console': '1' }, '/v1/events')).toBe(403);
    }
  });
});
