import { once } from 'node:events';
import { connect, Socket } from 'node:net';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { DEFAULT_HTTP_LIMITS } from '../../api/http-limits.js';
import { TOKEN, World, type ProblemBody } from './world.js';

describe('The HTTP server', () => {
  const worlds: World[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  async function open(...overrides: Parameters<typeof World.open>) {
    const world = await World.open(...overrides);
    worlds.push(world);
    return world;
  }
  /** A request as from that address. */
  const from = (world: World, remoteAddress: string, path: string, init: RequestInit = {}) =>
    world.api.app.request(path, init, {
      incoming: { socket: Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress }) },
    });

  it.each([
    ['in all', { connectionsMax: 3 }],
    ['of one address', { connectionsPerAddressMax: 3 }],
  ])('takes as many connections as allowed %s, and again as many once they have gone', async (_what, limit) => {
    const world = await open({ httpLimits: { ...DEFAULT_HTTP_LIMITS, ...limit } });
    const { port } = await world.listen();
    const connected = async () => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      return socket;
    };
    const isServed = async (socket: Socket) => {
      socket.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
      const answer = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      return Buffer.isBuffer(answer[0]);
    };
    const sockets = [await connected(), await connected(), await connected()];
    for (const socket of sockets) expect(await isServed(socket)).toBe(true);
    expect(await isServed(await connected())).toBe(false);
    for (const socket of sockets) {
      socket.destroy();
      await once(socket, 'close');
    }
    // The server hears of their end a moment later.
    for (let served = false; !served;) {
      const socket = await connected();
      served = await isServed(socket);
      socket.destroy();
    }
  });

  it('answers a token that asks too fast with 429, and when to come again; no other', async () => {
    const world = await open({ httpLimits: { ...DEFAULT_HTTP_LIMITS, requestsPerMinute: 5 } });
    const { body } = await world.post<{ token: string }>('/v1/tokens', { name: 'Vera', role: 'viewer' });
    const ask = () => world.api.app.request('/v1/session', { headers: { authorization: `Bearer ${body.token}` } });
    for (let i = 0; i < 5; i++) expect((await ask()).status).toBe(200);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(((await refused.json()) as ProblemBody).detail).toMatch(/5 requests a minute/);
    expect((await world.get('/v1/session')).status).toBe(200);
  });

  it('keeps a token to a number of event streams', async () => {
    const world = await open({ httpLimits: { ...DEFAULT_HTTP_LIMITS, streamsMax: 2 } });
    const { url } = await world.listen();
    const follow = () => fetch(`${url}/v1/events`, { headers: { authorization: `Bearer ${TOKEN}` } });
    const open1 = await follow();
    const open2 = await follow();
    const refused = await follow();
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    await open1.body?.cancel();
    await world.untilListeners(1);
    const again = await follow();
    expect(again.status).toBe(200);
    await again.body?.cancel();
    await open2.body?.cancel();
  });

  it('holds back strangers by their network: another address of it does not help', async () => {
    const world = await open();
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++)
      statuses.push((await from(world, `2001:db8::${i.toString(16)}`, '/v1/products')).status);
    expect(statuses.slice(0, 30).every((status) => status === 401)).toBe(true);
    expect(statuses.at(-1)).toBe(429);
    expect((await from(world, '2001:db8:0:1::1', '/v1/products')).status).toBe(401);
  });

  it('counts what strangers try, and writes down no more than some of it', async () => {
    const metrics = new Registry();
    const world = await open({ metrics });
    for (let i = 0; i < 200; i++) {
      await from(world, `192.0.2.${i}`, '/v1/products', { method: 'POST' });
    }
    const { items } = (await world.get<{ items: { actor: string }[] }>('/v1/audit?limit=500')).body;
    expect(items.filter(({ actor }) => actor === 'unknown')).toHaveLength(30);
    expect(await metrics.metrics()).toContain('ferry_http_strangers_refused_total{code="unauthorized"} 200');
  });

  it('shows metrics where they need a token to those who have one of all products', async () => {
    const world = await open({ metricsNeedToken: true });
    await world.post('/v1/products', { productKey: 'lamps', name: 'Lamp' });
    const token = async (name: string, productKey?: string) =>
      (await world.post<{ token: string }>('/v1/tokens', { name, role: 'viewer', productKey })).body.token;
    const ask = async (bearer?: string) => {
      const headers = new Headers(bearer === undefined ? [] : [['authorization', `Bearer ${bearer}`]]);
      return (await world.api.app.request('/metrics', { headers })).status;
    };
    expect(await ask()).toBe(401);
    expect(await ask('wrong')).toBe(401);
    expect(await ask(await token('of lamps', 'lamps'))).toBe(403);
    expect(await ask(await token('prometheus'))).toBe(200);
  });

  it('looks at its parts once a second, however many ask whether it is ready', async () => {
    let looks = 0;
    const world = await open({ readiness: { database: () => Promise.resolve(looks++) } });
    await Promise.all(Array.from({ length: 50 }, () => world.get('/readyz')));
    expect(looks).toBe(1);
  });

  it.each([
    [true, 'max-age=15552000', /^__Host-ferry-session=.*Path=\/;.*Secure/],
    [false, null, /^ferry-session=/],
  ])('keeps browsers to https, and the cookie to the host, if it has TLS: %s', async (secureCookie, header, cookie) => {
    const world = await open({ secureCookie });
    const { headers } = await world.send('POST', '/v1/session', {
      body: JSON.stringify({ token: TOKEN }),
      headers: { 'content-type': 'application/json' },
    });
    expect(headers.get('strict-transport-security')).toBe(header);
    expect(headers.get('set-cookie')).toMatch(cookie);
  });
});
