import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { belowBase } from '../../api/base-path.js';
import { startPathProxy, type PathProxy } from '../support/path-proxy.js';
import { PRODUCT, TOKEN, World } from './world.js';

it.each([
  ['/v1/tasks?limit=1', '', '/v1/tasks?limit=1'],
  ['/ferry/v1/tasks?limit=1', '/ferry', '/v1/tasks?limit=1'],
  ['/v1/tasks', '/ferry', '/v1/tasks'],
  ['/ferry', '/ferry', '/'],
  ['/ferry?a=b', '/ferry', '/?a=b'],
  ['/ferryman/x', '/ferry', '/ferryman/x'],
])('%s below %j is %s', (url, base, below) => {
  expect(belowBase(url, base)).toBe(below);
});

describe.each([
  ['takes its path away', false],
  ['passes its path on', true],
])('Behind a proxy that shows the service below a path, and %s', (_kind, keepsPath) => {
  let world: World;
  let proxy: PathProxy;
  let serviceUrl = '';
  beforeAll(async () => {
    proxy = await startPathProxy('/ferry', { keepsPath, service: () => serviceUrl });
    world = await World.open({ publicUrl: proxy.url });
    serviceUrl = (await world.listen()).url;
    await world.product();
  });
  afterAll(async () => {
    proxy.close();
    await world.close();
  });
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };

  it('the API answers below the path, and what it creates is there', async () => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ name: 'main', productKey: PRODUCT, version: '2.0.0' }))
      form.set(name, value);
    form.set('file', new Blob(['image']), 'main.bin');
    const { authorization } = headers;
    const created = await fetch(`${proxy.url}/v1/firmware`, { method: 'POST', headers: { authorization }, body: form });
    expect(created.status).toBe(201);
    const location = created.headers.get('location') ?? '';
    expect(location).toMatch(/^\/ferry\/v1\/firmware\/\w+$/);
    expect((await fetch(new URL(location, proxy.url), { headers })).status).toBe(200);
  });

  it('a session cookie is good below the path only', async () => {
    const body = JSON.stringify({ token: TOKEN });
    const answer = await fetch(`${proxy.url}/v1/session`, { method: 'POST', headers, body });
    expect(answer.headers.get('set-cookie')).toMatch(/; Path=\/ferry(;|$)/);
  });

  it('the readable API is found by links that do not leave the path', async () => {
    const page = await (await fetch(`${proxy.url}/docs`)).text();
    const links = Array.from(
      page.matchAll(/(?:src|href)="([^"]+)"/g),
      ([, link = '']) => new URL(link, `${proxy.url}/docs`),
    );
    expect(links).toHaveLength(4);
    for (const link of links) expect((await fetch(link)).status, link.href).toBe(200);
  });
});
