import { POLICY_BOUNDS } from '../../domain/policy.js';
import { gzipSync } from 'node:zlib';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requirePermission } from '../../api/auth.js';
import { PROBLEMS } from '../../api/problem.js';
import { ErrorCode } from '../../domain/errors.js';
import { newRouter } from '../../api/router.js';
import { answerErrors } from '../../api/problem.js';
import { PRODUCT, TOKEN, World, type ProblemBody } from './world.js';

interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown> };
}
interface Operation {
  summary: string;
  security: unknown[];
  'x-permission': string;
  responses: Record<string, { description: string; content?: Record<string, { schema: unknown }> }>;
}

let world: World;
let firmwareId: string;
beforeAll(async () => {
  world = await World.open();
  await world.product();
  firmwareId = await world.firmware();
});
afterAll(() => world.close());

const JSON_TYPE = { 'content-type': 'application/json' };
const long = 'x'.repeat(65);

describe('The message of a malformed request', () => {
  it.each<[string, string, unknown, string]>([
    ['GET', '/v1/products?limit=501', undefined, 'limit: must be at most 500'],
    ['GET', '/v1/products?limit=0', undefined, 'limit: must be at least 1'],
    ['GET', '/v1/products?limit=1.5', undefined, 'limit: must be a whole number'],
    ['GET', '/v1/products?limit=1&limit=2', undefined, 'limit: is given twice; give it once'],
    ['GET', '/v1/products?limit=ten', undefined, 'limit: must be a number'],
    ['GET', '/v1/products?limit=0x10', undefined, 'limit: must be a number'],
    ['GET', '/v1/tasks?status=gone', undefined, 'status: must be pending, awaiting-approval, running, paused'],
    ['POST', '/v1/products', { name: '' }, 'name: must not be empty'],
    ['POST', '/v1/products', { name: long }, 'name: must have at most 64 characters'],
    ['POST', '/v1/products', { name: 7 }, 'name: must be a text'],
    ['POST', '/v1/products', { name: 'a\u0000b' }, 'name: must not have control'],
    ['POST', '/v1/products', {}, 'name: is required'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { devices: [] }, 'devices: must not be empty'],
    ['POST', '/v1/records/forget', { olderThanMs: 1 }, 'olderThanMs: must be at least 86400000'],
    ['POST', '/v1/records/forget', { olderThanMs: 1e9 + 0.5 }, 'olderThanMs: must be a whole number'],
    ['GET', '/v1/workflow-history?workflowId=batch%2Fx&runId=0', undefined, 'runId: must be the id of a run'],
    ['POST', '/v1/doctor', { fix: 'yes' }, 'fix: must be true or false'],
  ])('%s %s %j names the rule that it breaks', async (method, path, body, message) => {
    const { body: answer } = await world.call<ProblemBody>(method, path, body);
    expect(answer.detail).toContain(message);
  });

  it('names the bound of the field for a number that is larger than any', async () => {
    const body = `{"deviceNames":["lamp-1"],"policy":{"soakMs":9007199254740993}}`;
    const init = { body, headers: JSON_TYPE };
    const { body: answer } = await world.send<ProblemBody>('POST', '/v1/firmware/x/verifications', init);
    expect(answer.errors).toEqual([{ field: 'policy.soakMs', message: `must be at most ${POLICY_BOUNDS.soakMs.max}` }]);
  });
});

describe('The media type of a request', () => {
  it.each(['application/json ; charset=utf-8', 'application/json;charset="a;b"', 'Application/JSON'])(
    'may be spelt %j',
    async (type) => {
      const init = { body: '{}', headers: { 'content-type': type } };
      const { status, body } = await world.send<ProblemBody>('POST', '/v1/products', init);
      expect({ status, detail: body.detail }).toEqual({ status: 400, detail: 'name: is required' });
    },
  );
});

describe('A malformed request', () => {
  it.each<[string, string, unknown, string]>([
    ['POST', '/v1/products', {}, 'name'],
    ['POST', '/v1/products', { name: '' }, 'name'],
    ['POST', '/v1/products', { name: '  ' }, 'name'],
    ['POST', '/v1/products', { name: 7 }, 'name'],
    ['POST', '/v1/products', { name: long }, 'name'],
    ['POST', '/v1/products', { name: 'a', productKey: 'a/b' }, 'productKey'],
    ['POST', '/v1/products', { name: 'a', productKey: '+' }, 'productKey'],
    ['POST', '/v1/products', { name: 'a', colour: 'red' }, 'colour'],
    ['POST', '/v1/products', [], 'body'],
    ['POST', '/v1/products', null, 'body'],
    ['POST', '/v1/products', 'text', 'body'],
    ['GET', '/v1/products?limit=0', undefined, 'limit'],
    ['GET', '/v1/products?limit=501', undefined, 'limit'],
    ['GET', '/v1/products?limit=1.5', undefined, 'limit'],
    ['GET', '/v1/products?limit=ten', undefined, 'limit'],
    ['GET', '/v1/products?limit=1&limit=2', undefined, 'limit'],
    ['GET', '/v1/products?cursor=nonsense', undefined, 'cursor'],
    ['GET', '/v1/products?page=2', undefined, 'page'],
    ['POST', `/v1/products/${PRODUCT}/devices`, {}, 'deviceName'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { deviceName: 'a b' }, 'deviceName'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { deviceName: '#' }, 'deviceName'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { deviceName: 'a', deviceSecret: 'short' }, 'deviceSecret'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { deviceName: 'a', protocol: 'smoke' }, 'protocol'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { devices: [] }, 'devices'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { devices: [{ deviceName: 'a' }, {}] }, 'devices.1.deviceName'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { devices: [{ deviceName: 'a', x: 1 }] }, 'devices.0.x'],
    ['POST', `/v1/products/${PRODUCT}/devices`, { devices: [], deviceName: 'a' }, 'deviceName'],
    ['POST', `/v1/products/${PRODUCT}/devices`, [{ deviceName: 'a' }], 'body'],
    [
      'POST',
      `/v1/products/${PRODUCT}/devices`,
      { devices: [{ deviceName: 'a' }, { deviceName: 'a' }] },
      'devices.1.deviceName',
    ],
    ['GET', `/v1/products/${PRODUCT}/devices?online=maybe`, undefined, 'online'],
    ['GET', `/v1/products/${PRODUCT}/devices?search=`, undefined, 'search'],
    ['GET', `/v1/products/${PRODUCT}/devices?verison=1`, undefined, 'verison'],
    ['POST', '/v1/firmware/ID/verifications', {}, 'deviceNames'],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: [] }, 'deviceNames'],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: 'lamp-1' }, 'deviceNames'],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: ['a b'] }, 'deviceNames.0'],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: Array(101).fill('a') }, 'deviceNames'],
    [
      'POST',
      '/v1/firmware/ID/verifications',
      { deviceNames: ['a'], policy: { stallTimeoutMs: 1 } },
      'policy.stallTimeoutMs',
    ],
    [
      'POST',
      '/v1/firmware/ID/verifications',
      { deviceNames: ['a'], policy: { notificationsMax: 1.5 } },
      'policy.notificationsMax',
    ],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: ['a'], policy: { speed: 1 } }, 'policy.speed'],
    ['POST', '/v1/firmware/ID/verifications', { deviceNames: ['a'], sourceVersions: ['1'] }, 'sourceVersions'],
    ['POST', '/v1/firmware/ID/batch-updates', {}, 'sourceVersions'],
    ['POST', '/v1/firmware/ID/batch-updates', { sourceVersions: [] }, 'sourceVersions'],
    ['POST', '/v1/firmware/ID/batch-updates', { sourceVersions: [''] }, 'sourceVersions.0'],
    ['POST', '/v1/firmware/ID/batch-updates', { sourceVersions: [1] }, 'sourceVersions.0'],
    ['POST', '/v1/firmware/ID/batch-updates', { sourceVersions: ['1'], deviceNames: [] }, 'deviceNames'],
    ['GET', '/v1/tasks?kind=both', undefined, 'kind'],
    ['GET', '/v1/tasks?status=done', undefined, 'status'],
    ['GET', '/v1/tasks/x/devices?outcome=lost', undefined, 'outcome'],
    ['GET', '/v1/tasks/x/devices?status=done', undefined, 'status'],
    ['GET', '/v1/tasks/x/devices.csv?limit=3', undefined, 'limit'],
    ['POST', '/v1/tasks/x/reinitiate', { deviceNames: [] }, 'deviceNames'],
    ['POST', '/v1/tasks/x/reinitiate', { all: true }, 'all'],
  ])('%s %s %j is refused, naming the field %4$s', async (method, path, json, field) => {
    const answer = await world.call<ProblemBody>(method, path.replace('ID', firmwareId), json);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request', status: 400 } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.body.errors?.map((error) => error.field)).toContain(field);
    expect(answer.body.detail.length).toBeGreaterThan(10);
  });

  it.each(['{', '', 'nonsense', '{"a":1,}', '\u0000'])('with the JSON %j is refused', async (body) => {
    for (const path of [
      '/v1/products',
      `/v1/products/${PRODUCT}/devices`,
      `/v1/firmware/${firmwareId}/verifications`,
    ]) {
      const answer = await world.send<ProblemBody>('POST', path, { body, headers: JSON_TYPE });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request', errors: [{ field: 'body' }] } });
    }
  });

  it.each([
    ['has no content type', new Blob(['{"name":"a"}']), {}, /^Content-Type: is missing; send .*application\/json/],
    [
      'has one of a form',
      '{}',
      { 'content-type': 'application/x-www-form-urlencoded' },
      /^Content-Type: .*application\/json/,
    ],
    [
      'is compressed',
      gzipSync('{"name":"a"}'),
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      /^Content-Encoding: gzip is not/,
    ],
  ])('whose body %s is refused by the name of the header', async (_what, body, headers, detail) => {
    for (const path of ['/v1/products', `/v1/products/${PRODUCT}/devices`]) {
      const answer = await world.send<ProblemBody>('POST', path, { body, headers });
      expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported-media-type' } });
      expect(answer.body.detail).toMatch(detail);
    }
  });

  it('whose firmware is compressed on its way is refused', async () => {
    const answer = await world.upload<ProblemBody>({ name: 'a' }, Buffer.from('x'), { 'content-encoding': 'gzip' });
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported-media-type' } });
  });

  it.each([
    ['too many values', `{"devices":[${'{},'.repeat(200_000)}{}]}`, /at most \d+ values/],
    ['too many levels', `{"devices":${'['.repeat(100)}${']'.repeat(100)}}`, /levels/],
  ])('whose body has %s is refused before it is parsed', async (_what, body, detail) => {
    const answer = await world.send<ProblemBody>('POST', `/v1/products/${PRODUCT}/devices`, {
      body,
      headers: JSON_TYPE,
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-request', errors: [{ field: 'body' }] } });
    expect(answer.body.detail).toMatch(detail);
  });

  it('is not refused for brackets and commas within its texts', async () => {
    const name = '[{,'.repeat(20);
    const body = JSON.stringify({ name: `"${name}\\` });
    expect((await world.send('POST', '/v1/products', { body, headers: JSON_TYPE })).status).toBe(201);
  });

  it.each(['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'image/png', 'application/jsonx'])(
    'with the content type %s is refused',
    async (type) => {
      for (const path of [
        '/v1/products',
        `/v1/products/${PRODUCT}/devices`,
        '/v1/tasks/x/reinitiate',
        '/v1/firmware',
      ]) {
        const init = { body: '{"name":"a"}', headers: { 'content-type': type } };
        const answer = await world.send<ProblemBody>('POST', path, init);
        expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported-media-type' } });
      }
    },
  );

  it('with a body of more than 8 MiB is refused', async () => {
    const body = JSON.stringify({ name: 'x'.repeat(8 * 1024 * 1024) });
    for (const path of ['/v1/products', `/v1/products/${PRODUCT}/devices`]) {
      const answer = await world.send<ProblemBody>('POST', path, { body, headers: JSON_TYPE });
      expect(answer).toMatchObject({ status: 413, body: { code: 'request-too-large' } });
    }
  });

  it.each(['ü', 'a b', 'x'.repeat(129), ''])('with the Idempotency-Key "%s" is refused', async (key) => {
    const headers = { ...JSON_TYPE, 'idempotency-key': key };
    const json = await world.send<ProblemBody>('POST', '/v1/products', { body: '{"name":"a"}', headers });
    expect(json).toMatchObject({ status: 400, body: { errors: [{ field: 'idempotency-key' }] } });
    const upload = await world.upload<ProblemBody>({}, Buffer.from('x'), { 'idempotency-key': key });
    expect(upload).toMatchObject({ status: 400, body: { errors: [{ field: 'idempotency-key' }] } });
  });

  it('names at most a hundred fields, and counts the rest', async () => {
    const devices = Array.from({ length: 300 }, () => ({ deviceName: ' ' }));
    const { body } = await world.post<ProblemBody>(`/v1/products/${PRODUCT}/devices`, { devices });
    expect(body.errors).toHaveLength(100);
    expect(body.detail).toContain('(and 299 more)');
  });
});

describe('A route', () => {
  it('of no path is not found', async () => {
    for (const path of [
      '/nothing',
      '/v1/nothing',
      '/v1/tasks/a/b/c',
      '/docs/package.json',
      '/docs/..%2fpackage.json',
    ]) {
      const answer = await world.get<ProblemBody>(path);
      expect(answer, path).toMatchObject({ status: 404, body: { code: 'not-found' } });
    }
  });

  it('under another method is refused, naming those that are allowed', async () => {
    for (const [method, path, allow] of [
      ['PUT', '/v1/products', 'GET, HEAD, POST'],
      ['PATCH', '/v1/firmware/x', 'DELETE, GET, HEAD'],
      ['GET', '/v1/tasks/x/cancel', 'POST'],
      ['DELETE', '/v1/tasks/x/devices/lamp-1/cancel', 'POST'],
      ['POST', '/healthz', 'GET, HEAD'],
    ] as const) {
      const answer = await world.call<ProblemBody>(method, path);
      expect(answer, path).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });
});

describe('A request without the token', () => {
  it.each<Record<string, string>>([
    {},
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer wrong' },
    { authorization: `Bearer ${TOKEN}x` },
    { authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    { authorization: `Basic ${TOKEN}` },
    { authorization: TOKEN },
  ])('%j is refused everywhere below /v1, whatever else is wrong with it', async (headers) => {
    const { body: document } = await world.get<OpenApi>('/openapi.json');
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { security }] of Object.entries(operations)) {
        if (security.length === 0) continue;
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        const response = await world.api.app.request(url, { method: method.toUpperCase(), headers });
        expect(response.status, `${method} ${path}`).toBe(401);
        expect(response.headers.get('www-authenticate')).toContain('Bearer');
        expect(((await response.json()) as ProblemBody).code).toBe('unauthorized');
      }
    }
    expect((await world.api.app.request('/v1/nothing', { headers })).status).toBe(401);
  });

  it('is answered at health, readiness, metrics and documentation', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs']) {
      expect((await world.api.app.request(path)).status, path).toBe(200);
    }
  });

  it('takes the scheme in any letters', async () => {
    const response = await world.api.app.request('/v1/products', { headers: { authorization: `bearer ${TOKEN}` } });
    expect(response.status).toBe(200);
  });
});

describe('A token without the permission of a route', () => {
  it('is refused with 403', async () => {
    const router = newRouter();
    router.onError(answerErrors({ debug: () => 0, info: () => 0, warn: () => 0, error: () => 0 } as never));
    router.use(async (c, next) => {
      c.set('principal', {
        ...{ id: '1', name: 'viewer', role: 'viewer', permissions: new Set(['read']) },
        ...{ productKey: null, credential: '', expiresAtMs: null },
      });
      await next();
    });
    router.get('/read', requirePermission('read'), (c) => c.text('ok'));
    router.get('/run', requirePermission('tasks:run'), (c) => c.text('ok'));
    expect((await router.request('/read')).status).toBe(200);
    const refused = await router.request('/run');
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ code: 'forbidden' });
  });
});

describe('A fault of the service', () => {
  let broken: World | undefined;
  afterEach(() => broken?.close());

  it('is logged with an id, of which the client gets nothing else', async () => {
    const logged: unknown[] = [];
    const log = { debug: () => 0, info: () => 0, warn: () => 0, error: (entry: unknown) => logged.push(entry) };
    broken = await World.open({ log, metrics: new Registry() });
    broken.records.listProducts = () => Promise.reject(new Error('secret path /var/lib/ferry'));
    const { status, body } = await broken.get<ProblemBody>('/v1/products');
    expect({ status, code: body.code }).toEqual({ status: 500, code: 'internal' });
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(logged).toMatchObject([{ requestId: body['requestId'], request: 'GET /v1/products' }]);
  });
});

describe('The OpenAPI document', () => {
  let document: OpenApi;
  beforeAll(async () => {
    document = (await world.get<OpenApi>('/openapi.json')).body;
  });

  it('is of version 3.1 and has no dangling reference', () => {
    expect(document.openapi).toBe('3.1.0');
    const references = JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g);
    for (const [, name] of references) expect(Object.keys(document.components.schemas)).toContain(name);
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        expect(operation.summary, `${method} ${path}`).toBeTruthy();
        const isOpen = path === '/v1/session' && method === 'post';
        expect(operation.security).toEqual(isOpen ? [] : [{ token: [] }, { session: [] }]);
        expect(Boolean(operation['x-permission'])).toBe(!isOpen);
        for (const response of Object.values(operation.responses)) expect(response.description).toBeTruthy();
      }
    }
  });

  it('lists every route below /v1', () => {
    const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const routed = world.api.app.routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/'))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(new Set(listed)).toEqual(new Set(routed));
    expect(listed).toHaveLength(57);
  });

  it('names, somewhere, every refusal that a route can answer, under its status', () => {
    const named = new Set<string>();
    for (const operations of Object.values(document.paths)) {
      for (const { responses } of Object.values(operations)) {
        for (const [status, { description, content }] of Object.entries(responses)) {
          if (Number(status) < 400) continue;
          expect(Object.keys(content ?? {})).toEqual(['application/problem+json']);
          for (const [, code] of description.matchAll(/`([\w-]+)`/g)) {
            named.add(code as string);
            expect(PROBLEMS[code as ErrorCode][0]).toBe(Number(status));
          }
        }
      }
    }
    // The answer where there is no route of that method.
    const elsewhere: readonly ErrorCode[] = ['method-not-allowed'];
    const expected = Object.values(ErrorCode).filter((code) => !elsewhere.includes(code));
    expect(Array.from(named).sort()).toEqual(expected.sort());
  });

  it('is shown as a page that needs nothing from elsewhere', async () => {
    const page = await (await world.api.app.request('/docs')).text();
    for (const [, link = ''] of page.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect(link).not.toContain('//');
      const { pathname } = new URL(link, 'http://ferry.test/docs');
      expect(pathname).toMatch(/^\/docs\//);
      expect((await world.api.app.request(pathname)).status, link).toBe(200);
    }
  });
});

describe('Readiness', () => {
  let half: World | undefined;
  afterEach(() => half?.close());

  it('names each part that is down', async () => {
    half = await World.open({
      readiness: {
        database: () => Promise.resolve(),
        'workflow engine': () => Promise.reject(new Error('secret address')),
      },
    });
    const { status, body } = await half.get('/readyz');
    expect(status).toBe(503);
    expect(body).toEqual({ status: 'not-ready', parts: { database: 'up', 'workflow engine': 'down' } });
  });
});

describe('Metrics', () => {
  it('count requests by route pattern and status, never by path', async () => {
    await world.get('/v1/tasks/some-task-id');
    await world.get('/v1/some-path-of-nobody');
    const text = await (await world.api.app.request('/metrics')).text();
    expect(text).toContain(
      'ferry_http_request_duration_seconds_count{method="GET",route="/v1/tasks/:id",status="404"}',
    );
    expect(text).toContain('route="unknown",status="404"');
    expect(text).not.toContain('some-task-id');
    expect(text).not.toContain('some-path-of-nobody');
  });
});
