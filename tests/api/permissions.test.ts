import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generateSigningKey, keyIdOf } from '../../firmware/signature.js';
import { TOKEN, World, type ProblemBody } from './world.js';

/* Every route × role × scope, by the OpenAPI document: a new route without a rule fails here. */

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly 'x-permission'?: string;
  readonly 'x-scope': string;
  readonly 'x-action'?: string;
}

const ROLES: Readonly<Record<string, readonly string[]>> = {
  viewer: ['read'],
  operator: ['read', 'devices:write', 'firmware:write', 'tasks:run'],
  admin: [
    ...['read', 'devices:write', 'firmware:write', 'tasks:run', 'products:trust'],
    ...['tokens:manage', 'audit:read', 'service:repair', 'records:forget'],
  ],
};
const SCOPES = ['all products', 'its product', 'another product'] as const;
const { publicKey } = generateSigningKey();
const KEY = { keyId: keyIdOf(publicKey), publicKey };
/** POST, but it changes nothing. */
const HARMLESS = ['/v1/firmware/{id}/batch-updates/preview'];
/** GET, but the audit log tells who has a copy. */
const AUDITED = ['/v1/firmware/{id}/file'];

let world: World;
let operations: Operation[];
let ids: { firmware: string; task: string };
const tokens = new Map<string, string>();

beforeAll(async () => {
  world = await World.open();
  await world.product();
  await world.post('/v1/products', { productKey: 'ovens', name: 'Oven' });
  const task = await world.batch();
  const { body } = await world.get<{ firmware: { id: string } }>(`/v1/tasks/${task}`);
  ids = { firmware: body.firmware.id, task };
  for (const role of Object.keys(ROLES)) {
    for (const scope of SCOPES) {
      const productKey = { 'all products': undefined, 'its product': 'lamps', 'another product': 'ovens' }[scope];
      const made = await world.post<{ token: string }>('/v1/tokens', { name: `${role} of ${scope}`, role, productKey });
      tokens.set(`${role} ${scope}`, made.body.token);
    }
  }
  const document = await world.get<{ paths: Record<string, Record<string, Operation>> }>('/openapi.json');
  operations = Object.entries(document.body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
});
afterAll(() => world.close());

const pathOf = (path: string): string =>
  path
    .replace('{productKey}', 'lamps')
    .replace('{deviceName}', 'lamp-1')
    .replace('{keyId}', KEY.keyId)
    .replace('{id}', path.startsWith('/v1/firmware') ? ids.firmware : ids.task);

async function ask({ method, path }: Operation, token: string) {
  // The other routes are asked with firmware that is not signed.
  await world.records.trustKeys('lamps', () => (path.includes('{keyId}') ? [KEY] : []));
  const headers = { authorization: `Bearer ${token}` };
  const response = await world.api.app.request(pathOf(path), { method, headers });
  const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
  if (isStream) await response.body?.cancel();
  else await response.text();
  return response.status;
}

describe('Every route', () => {
  it('has a permission and a scope, and the audit log knows what it changes', () => {
    expect(operations.length).toBeGreaterThan(40);
    for (const { method, path, ...rules } of operations) {
      const name = `${method} ${path}`;
      if (name !== 'POST /v1/session') expect(ROLES.admin, name).toContain(rules['x-permission']);
      expect(['product', 'firmware', 'task', 'narrowed', 'self', 'service'], name).toContain(rules['x-scope']);
      const changes = AUDITED.includes(path) || (method !== 'GET' && !HARMLESS.includes(path));
      expect(rules['x-action'] !== undefined, name).toBe(changes);
    }
  });

  it.each(Object.keys(ROLES).flatMap((role) => SCOPES.map((scope) => [role, scope] as const)))(
    'lets a token of a %s, of %s, do what it may, and nothing else',
    async (role, scope) => {
      const token = tokens.get(`${role} ${scope}`) ?? '';
      for (const operation of operations) {
        const { method, path } = operation;
        if (path === '/v1/session') continue;
        const status = await ask(operation, token);
        const name = `${method} ${path} answered ${status}`;
        const isOfProduct = ['product', 'firmware', 'task'].includes(operation['x-scope']);
        if (!ROLES[role]?.includes(operation['x-permission'] ?? '')) expect(status, name).toBe(403);
        else if (scope !== 'all products' && operation['x-scope'] === 'service') expect(status, name).toBe(403);
        else if (scope === 'another product' && isOfProduct) expect(status, name).toBe(404);
        else {
          expect([401, 403, 500], name).not.toContain(status);
          if (isOfProduct) expect(status, name).not.toBe(404);
        }
      }
    },
  );

  it('that lists things lists those of the token’s product only', async () => {
    const own = tokens.get('admin its product') ?? '';
    const other = tokens.get('admin another product') ?? '';
    const list = async (path: string, token: string) => {
      const response = await world.api.app.request(path, { headers: { authorization: `Bearer ${token}` } });
      return { status: response.status, text: await response.text() };
    };
    for (const path of ['/v1/products', '/v1/firmware', '/v1/tasks', '/v1/overview', '/v1/audit', '/v1/audit.csv']) {
      expect((await list(path, own)).text, path).toContain('lamps');
      expect((await list(path, other)).text.includes('lamps'), path).toBe(false);
    }
    for (const path of ['/v1/firmware?productKey=lamps', '/v1/tasks?productKey=lamps', '/v1/audit?productKey=lamps']) {
      expect((await list(path, other)).status, path).toBe(404);
    }
  });

  it('that takes a firmware takes it for the token’s product only', async () => {
    const authorization = `Bearer ${tokens.get('operator another product') ?? ''}`;
    const fields = { name: 'lamp', productKey: 'lamps', version: '9.0.0' };
    const refused = await world.upload<ProblemBody>(fields, Buffer.from('x'), { authorization });
    expect(refused).toMatchObject({ status: 404, body: { code: 'not-found' } });
    const taken = await world.upload({ ...fields, productKey: 'ovens' }, Buffer.from('x'), { authorization });
    expect(taken.status).toBe(201);
  });

  it('that streams tells a token of a product of that product only', async () => {
    const follow = async (token: string) => {
      const response = await world.api.app.request('/v1/events', {
        headers: { authorization: `Bearer ${token}`, 'last-event-id': '0' },
      });
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      return { reader, first: new TextDecoder().decode((await reader.read()).value) };
    };
    const own = await follow(tokens.get('viewer its product') ?? '');
    const seen = new TextDecoder().decode((await own.reader.read()).value);
    expect(seen).toContain('lamps');
    await own.reader.cancel();
    const other = await follow(tokens.get('viewer another product') ?? '');
    // What happens to its own product is the first thing that it is told, after all that has happened to the other one.
    const firmware = await world.upload<{ id: string }>({ name: 'oven', productKey: 'ovens', version: '1.0.1' });
    await world.post('/v1/products/ovens/devices', { deviceName: 'oven-1' });
    await world.post(`/v1/firmware/${firmware.body.id}/verifications`, { deviceNames: ['oven-1'] });
    const told = new TextDecoder().decode((await other.reader.read()).value);
    expect(told).toContain('ovens');
    expect(told).not.toContain('lamps');
    await other.reader.cancel();
  });
});

describe('A token', () => {
  it('is shown once, and never again, nor is its digest', async () => {
    const { body } = await world.post<{ id: string; token: string }>('/v1/tokens', {
      name: 'shown once',
      role: 'viewer',
    });
    expect(body.token).toMatch(/^ferry_[\w-]{43}$/);
    for (const path of ['/v1/tokens', '/v1/audit', '/v1/audit.csv']) {
      const text = await (await world.request(path)).text();
      expect(text).toContain('shown once');
      expect(text).not.toContain(body.token);
      expect(text).not.toContain(body.token.slice(-20));
    }
  });

  it('is refused once it is revoked, and its console session with it', async () => {
    const { body } = await world.post<{ id: string; token: string }>('/v1/tokens', { name: 'Ada', role: 'operator' });
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await world.api.app.request('/v1/tasks', { headers })).status).toBe(200);
    const signedIn = await world.api.app.request('/v1/session', {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify({ token: body.token }),
    });
    expect(await signedIn.json()).toMatchObject({ name: 'Ada', role: 'operator' });
    const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
    expect((await world.api.app.request('/v1/tasks', { headers: { cookie } })).status).toBe(200);
    const revoked = await world.call<{ revokedAt: string }>('DELETE', `/v1/tokens/${body.id}`);
    expect(revoked.body.revokedAt).toBeTruthy();
    expect((await world.api.app.request('/v1/tasks', { headers })).status).toBe(401);
    expect((await world.api.app.request('/v1/tasks', { headers: { cookie } })).status).toBe(401);
    expect(await world.post('/v1/tokens', { name: 'Ada', role: 'viewer' })).toMatchObject({ status: 201 });
  });

  it('ends its open event streams when it is revoked', async () => {
    const { body } = await world.post<{ id: string; token: string }>('/v1/tokens', { name: 'Bob', role: 'viewer' });
    const response = await world.api.app.request('/v1/events', { headers: { authorization: `Bearer ${body.token}` } });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    await world.call('DELETE', `/v1/tokens/${body.id}`);
    expect(await reader.read()).toMatchObject({ done: true });
  });

  it('is refused once it has expired', async () => {
    let nowMs = Date.now();
    const later = await World.open({ now: () => nowMs });
    const expiresAt = new Date(nowMs + 60_000).toISOString();
    const { body } = await later.post<{ token: string }>('/v1/tokens', { name: 'Eve', role: 'viewer', expiresAt });
    const headers = { authorization: `Bearer ${body.token}` };
    expect((await later.api.app.request('/v1/tasks', { headers })).status).toBe(200);
    nowMs += 60_000;
    expect((await later.api.app.request('/v1/tasks', { headers })).status).toBe(401);
    await later.close();
  });

  it('tells when it was last used', async () => {
    const { body } = await world.post<{ id: string; token: string }>('/v1/tokens', { name: 'Finn', role: 'viewer' });
    await world.api.app.request('/v1/tasks', { headers: { authorization: `Bearer ${body.token}` } });
    await vi.waitFor(async () => {
      const { body: list } = await world.get<{ items: { id: string; lastUsedAt: string | null }[] }>('/v1/tokens');
      expect(list.items.find(({ id }) => id === body.id)?.lastUsedAt).toBeTruthy();
    });
  });

  it.each([
    [{ name: 'admin', role: 'viewer' }, 'name'],
    [{ name: '', role: 'viewer' }, 'name'],
    [{ name: 'a\u202eb', role: 'viewer' }, 'name'],
    [{ name: 'x', role: 'king' }, 'role'],
    [{ name: 'x', role: 'viewer', expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
    [{ name: 'x', role: 'viewer', expiresAt: 'tomorrow' }, 'expiresAt'],
  ])('of %j is refused, naming %s', async (json, field) => {
    const { status, body } = await world.post<ProblemBody>('/v1/tokens', json);
    expect({ status, field: body.errors?.[0]?.field }).toEqual({ status: 400, field });
  });

  it('of a taken name is refused', async () => {
    await world.post('/v1/tokens', { name: 'Gil', role: 'viewer' });
    const { status, body } = await world.post<ProblemBody>('/v1/tokens', { name: 'Gil', role: 'admin' });
    expect({ status, code: body.code }).toEqual({ status: 409, code: 'token-exists' });
  });
});

describe('Who has no valid token', () => {
  it('is held back after thirty tries from an address, without holding back who has one', async () => {
    const { url } = await world.listen();
    const wrong = { headers: { authorization: 'Bearer wrong' } };
    const statuses: number[] = [];
    for (let n = 0; n < 40; n++) statuses.push((await fetch(`${url}/v1/tasks`, wrong)).status);
    expect(statuses.indexOf(429)).toBeGreaterThanOrEqual(30);
    const held = await fetch(`${url}/v1/tasks`, wrong);
    expect(held.status).toBe(429);
    expect(Number(held.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await held.json()).toMatchObject({ code: 'too-many-requests' });
    expect((await fetch(`${url}/v1/tasks`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
  });
});
