import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONSOLE_PATHS } from '../../api/console.js';
import { PATHS } from '../../console/app/paths.js';
import { World } from './world.js';

describe('The console’s files', () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ferry-console-'));
    await mkdir(join(folder, 'assets'));
    await writeFile(
      join(folder, 'index.html'),
      '<meta name="ferry-base" content="__FERRY_BASE__"><meta nonce="__FERRY_NONCE__"><script src="./assets/a-1.js"></script>',
    );
    await writeFile(join(folder, 'assets', 'a-1.js'), 'plain');
    await writeFile(join(folder, 'assets', 'a-1.js.gz'), 'gzipped');
    await writeFile(join(folder, 'secret.js'), 'not served');
    world = await World.open({ consoleFolder: folder });
  });
  afterAll(async () => {
    await world.close();
    await rm(folder, { recursive: true });
  });
  const get = (path: string, headers: Record<string, string> = {}) => world.api.app.request(path, { headers });

  it('are a page for each of its paths, never cached, under a policy with a nonce of its own', async () => {
    const nonces = new Set<string>();
    for (const path of CONSOLE_PATHS) {
      const response = await get(path.replaceAll(/:\w+/g, 'x'));
      expect(response.status, path).toBe(200);
      expect(response.headers.get('cache-control')).toBe('no-store');
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).not.toContain('unsafe');
      const nonce = /'nonce-(.+?)'/.exec(policy)?.[1] ?? '';
      expect(await response.text()).toContain(`nonce="${nonce}"`);
      nonces.add(nonce);
    }
    expect(nonces.size).toBe(CONSOLE_PATHS.length);
  });

  it('are linked from the root, or from where a proxy has put the service', async () => {
    const below = await World.open({ consoleFolder: folder, publicUrl: 'https://host.test/tools/ferry' });
    const deep = '/tasks/x';
    expect(await (await get(deep)).text()).toContain('<script src="/assets/a-1.js">');
    const html = await (await below.api.app.request(deep)).text();
    expect(html).toContain('<script src="/tools/ferry/assets/a-1.js">');
    expect(html).toContain('<meta name="ferry-base" content="/tools/ferry">');
    await below.close();
  });

  it('know every page that the console routes to', () => {
    expect(Object.values(PATHS).sort()).toEqual([...CONSOLE_PATHS].sort());
  });

  it('are kept for ever under their hashed names, compressed for who takes it', async () => {
    const plain = await get('/assets/a-1.js');
    expect(plain.headers.get('cache-control')).toContain('immutable');
    expect(plain.headers.get('content-type')).toContain('text/javascript');
    expect(await plain.text()).toBe('plain');
    const gzipped = await get('/assets/a-1.js', { 'accept-encoding': 'gzip, deflate, br' });
    expect(gzipped.headers.get('content-encoding')).toBe('gzip');
    expect(gzipped.headers.get('vary')).toBe('Accept-Encoding');
    expect(await gzipped.text()).toBe('gzipped');
  });

  it.each([
    ['gzip;q=0', null],
    ['gzip;q=0, br;q=0, identity', null],
    ['x-gzip-like', null],
    ['*;q=0', null],
    ['identity', null],
    ['', null],
    ['gzip;q=0, *', null],
    ['GZIP', 'gzip'],
    ['gzip;q=0.5', 'gzip'],
    ['*', 'gzip'],
    ['identity;q=0, gzip;q=0.1', 'gzip'],
  ])('come in the encoding that Accept-Encoding: %s asks for', async (accepted, encoding) => {
    const response = await get('/assets/a-1.js', { 'accept-encoding': accepted });
    expect(response.headers.get('content-encoding')).toBe(encoding);
    expect(response.headers.get('vary')).toBe('Accept-Encoding');
    expect(await response.text()).toBe(encoding === 'gzip' ? 'gzipped' : 'plain');
  });

  it('leave everything else as it is', async () => {
    for (const path of ['/assets/none.js', '/assets/..%2fsecret.js', '/assets/a-1.js.gz', '/nothing', '/tasks/a/b']) {
      const response = await get(path);
      expect(response.status, path).toBe(404);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
    }
    expect((await get('/openapi.json')).status).toBe(200);
    expect((await get('/docs')).status).toBe(200);
    expect((await get('/healthz')).status).toBe(200);
  });
});
