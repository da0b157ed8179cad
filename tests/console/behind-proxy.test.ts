import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPathProxy, type PathProxy } from '../support/path-proxy.js';
import { ADMIN_TOKEN, Ground } from './ground.js';

describe.each([
  ['takes its path away', false],
  ['passes its path on', true],
])('Behind a proxy that shows the service below a path, and %s, the console', (_kind, keepsPath) => {
  let ground: Ground | undefined;
  let proxy: PathProxy;
  const opened = () => {
    if (!ground) throw new Error('The service is not started');
    return ground;
  };
  beforeAll(async () => {
    proxy = await startPathProxy('/tools/ferry', { keepsPath, service: () => opened().ferry.url });
    ground = await Ground.open({ FERRY_PUBLIC_URL: proxy.url });
    await ground.ferry.post('/v1/products', { productKey: 'lamp', name: 'Lamp' });
  });
  afterAll(async () => {
    await ground?.close();
    proxy.close();
  });

  it('signs in, shows its pages by links and by address, follows changes live, and signs out', async () => {
    const page = await opened().visit(`${proxy.url}/devices`, { baseURL: proxy.url });
    await page.getByLabel('Token').fill(ADMIN_TOKEN);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Devices', level: 1 }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/tools/ferry/devices');
    expect(await page.context().cookies()).toMatchObject([{ name: 'ferry-session', path: '/tools/ferry' }]);

    await page.getByRole('link', { name: 'Overview' }).click();
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/tools/ferry/');
    const stream = page.waitForResponse((response) => response.url() === `${proxy.url}/v1/events`);
    await page.reload();
    expect((await stream).status()).toBe(200);
    await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();

    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Token').waitFor();
    expect(await page.context().cookies()).toEqual([]);
    expect(page.faults).toEqual([]);
  });

  it('is led to the path by who comes past the proxy', async () => {
    const page = await opened().visit('/tasks');
    await page.getByLabel('Token').waitFor();
    expect(page.url().startsWith(`${opened().ferry.url}/tools/ferry/`)).toBe(true);
    expect(page.faults).toEqual([]);
  });

  it('has the readable API beside it, which asks below the path', async () => {
    const page = await opened().visit(`${proxy.url}/docs`);
    await page.getByText('Create a product').first().waitFor();
    expect(page.faults).toEqual([]);
    const document = (await (await fetch(`${proxy.url}/openapi.json`)).json()) as { servers: unknown };
    expect(document.servers).toEqual([{ url: '/tools/ferry' }]);
  });
});
