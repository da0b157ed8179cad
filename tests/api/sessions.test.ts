import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSignInPath } from '../../api/sessions.js';
import { TOKEN, World, type ProblemBody } from './world.js';

const JSON_TYPE = { 'content-type': 'application/json' };
const CONSOLE = { 'x-ferry-console': '1' };

describe('A session of the console', () => {
  let world: World;
  let nowMs: number;
  beforeEach(async () => {
    nowMs = Date.now();
    world = await World.open({ now: () => nowMs });
  });
  afterEach(() => world.close());

  /** As a browser: without a token. */
  const ask = (method: string, path: string, headers: Record<string, string> = {}, json?: unknown) =>
    world.api.app.request(path, {
      method,
      headers: { ...(json !== undefined && JSON_TYPE), ...headers },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    });
  const cookieOf = (response: Response) => (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
  async function signIn(): Promise<{ cookie: string }> {
    return { cookie: cookieOf(await ask('POST', '/v1/session', {}, { token: TOKEN })) };
  }

  it('begins with the token, as a cookie that scripts and other sites never see', async () => {
    const response = await ask('POST', '/v1/session', {}, { token: TOKEN });
    expect(response.status).toBe(201);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const cookie = response.headers.get('set-cookie') ?? '';
    for (const attribute of ['HttpOnly', 'SameSite=Strict', 'Path=/', 'Expires=']) expect(cookie).toContain(attribute);
    expect(cookie).not.toContain('Secure');
    expect(cookie).not.toContain(TOKEN);
    expect(await response.json()).toMatchObject({ name: 'admin' });
  });

  it('is asked for over https only where the console is reached by https', async () => {
    const secure = await World.open({ secureCookie: true });
    const init = { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ token: TOKEN }) };
    const response = await secure.api.app.request('/v1/session', init);
    expect(response.headers.get('set-cookie')).toContain('Secure');
    await secure.close();
  });

  it('is refused for a wrong token, naming the field', async () => {
    const response = await ask('POST', '/v1/session', {}, { token: 'wrong' });
    expect(response.status).toBe(401);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(await response.json()).toMatchObject({ code: 'unauthorized', errors: [{ field: 'token' }] });
  });

  it.each([{}, { token: '' }, { token: TOKEN, link: 'x' }, { user: 'a' }, null])('is refused for %j', async (body) => {
    const response = await ask('POST', '/v1/session', {}, body);
    expect(response.status).toBe(400);
    expect(((await response.json()) as ProblemBody).code).toBe('invalid-request');
  });

  it('lets requests pass that only read; others need the header that no other site can send', async () => {
    const cookie = await signIn();
    expect((await ask('GET', '/v1/products', cookie)).status).toBe(200);
    expect((await ask('HEAD', '/v1/products', cookie)).status).toBe(200);
    const without = await ask('POST', '/v1/products', cookie, { name: 'Lamp' });
    expect(without.status).toBe(403);
    expect((await ask('GET', '/v1/events', cookie)).status).toBe(403);
    expect((await ask('POST', '/v1/products', { ...cookie, ...CONSOLE }, { name: 'Lamp' })).status).toBe(201);
    const stream = await ask('GET', '/v1/events', { ...cookie, ...CONSOLE });
    expect(stream.status).toBe(200);
    await stream.body?.cancel();
  });

  it('counts nothing beside a wrong token', async () => {
    const cookie = await signIn();
    expect((await ask('GET', '/v1/products', { ...cookie, authorization: 'Bearer wrong' })).status).toBe(401);
  });

  it('ends with sign-out, also for who has kept the cookie', async () => {
    const cookie = await signIn();
    const other = await signIn();
    const signOut = await ask('DELETE', '/v1/session', { ...cookie, ...CONSOLE });
    expect(signOut.status).toBe(204);
    expect(signOut.headers.get('set-cookie')).toMatch(/ferry-session=;.*Max-Age=0/);
    expect((await ask('GET', '/v1/session', cookie)).status).toBe(401);
    expect((await ask('GET', '/v1/session', other)).status).toBe(200);
  });

  it('expires after a week', async () => {
    const cookie = await signIn();
    nowMs += 7 * 86_400_000 - 1;
    expect((await ask('GET', '/v1/session', cookie)).status).toBe(200);
    nowMs += 1;
    expect((await ask('GET', '/v1/session', cookie)).status).toBe(401);
  });

  it('outlives a restart, but not a change of the token', async () => {
    const cookie = await signIn();
    const { records } = world;
    const same = await World.open({ records });
    expect((await same.api.app.request('/v1/session', { headers: cookie })).status).toBe(200);
    const other = await World.open({ records, adminToken: 'another-admin-token' });
    expect((await other.api.app.request('/v1/session', { headers: cookie })).status).toBe(401);
    await same.close();
    await other.close();
  });

  it('begins by a link, once', async () => {
    const path = await createSignInPath(world.records, nowMs);
    const [page, link] = path.split('#link=');
    expect(page).toBe('/sign-in');
    const first = await ask('POST', '/v1/session', {}, { link });
    expect(first.status).toBe(201);
    expect((await ask('GET', '/v1/session', { cookie: cookieOf(first) })).status).toBe(200);
    const second = await ask('POST', '/v1/session', {}, { link });
    expect(second.status).toBe(401);
    expect(await second.json()).toMatchObject({ errors: [{ field: 'link' }] });
  });

  it('keeps the link for a day', async () => {
    const [, link] = (await createSignInPath(world.records, nowMs)).split('#link=');
    nowMs += 86_400_000;
    expect((await ask('POST', '/v1/session', {}, { link })).status).toBe(401);
  });
});
