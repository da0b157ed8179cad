import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firmwareForm, PRODUCT, World, type ProblemBody } from './world.js';

const FIELDS = { name: 'lamp_固件', productKey: PRODUCT, version: '2.0.0' };
const TEN_MEBIBYTES = 10 * 1024 * 1024;

describe('POST /v1/firmware', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product();
  });
  afterEach(() => world.close());

  it('stores the file and answers its digest', async () => {
    const bytes = Buffer.from('the firmware');
    const { status, headers, body } = await world.upload(FIELDS, bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`/v1/firmware/${String(body['id'])}`);
    expect(body).toMatchObject({
      name: 'lamp_固件',
      module: 'default',
      version: '2.0.0',
      status: 'unverified',
      sizeBytes: 12,
      signMethod: 'SHA256',
      sign: sha256,
      sha256,
      openTasks: 0,
      deletedAt: null,
    });
    expect(await world.files()).toEqual([sha256]);
  });

  it('signs with MD5 when asked to', async () => {
    const { body } = await world.upload({ ...FIELDS, signMethod: 'MD5', module: 'MCU' }, Buffer.from('x'));
    expect(body).toMatchObject({ module: 'MCU', signMethod: 'MD5', sign: '9dd4e461268c8034f5c8564e155c67a6' });
  });

  it('takes the fields behind the file, too', async () => {
    const form = new FormData();
    form.set('file', new Blob(['x']), 'x.bin');
    for (const [name, value] of Object.entries(FIELDS)) form.set(name, value);
    expect(await world.send('POST', '/v1/firmware', { body: form })).toMatchObject({ status: 201 });
  });

  it('takes a file of exactly 10 MB and refuses one byte more, with nothing left behind', async () => {
    const large = await world.upload<ProblemBody>(FIELDS, Buffer.alloc(TEN_MEBIBYTES + 1));
    expect(large).toMatchObject({ status: 413, body: { code: 'firmware-too-large' } });
    expect(await world.files()).toEqual([]);
    expect(await world.upload(FIELDS, Buffer.alloc(TEN_MEBIBYTES))).toMatchObject({ status: 201 });
  });

  it.each([
    ['an empty name', { name: '' }, 422, 'firmware-name-invalid', 'name'],
    ['33 characters', { name: '灯'.repeat(33) }, 422, 'firmware-name-invalid', 'name'],
    ['a hyphen in the name', { name: 'a-b' }, 422, 'firmware-name-invalid', 'name'],
    ['a blank in the name', { name: 'a b' }, 422, 'firmware-name-invalid', 'name'],
    ['an emoji in the name', { name: 'a😀' }, 422, 'firmware-name-invalid', 'name'],
    ['no version', { version: undefined }, 400, 'invalid-request', 'version'],
    ['an empty version', { version: '' }, 400, 'invalid-request', 'version'],
    ['a quote in the version', { version: '1"0' }, 400, 'invalid-request', 'version'],
    ['no name', { name: undefined }, 400, 'invalid-request', 'name'],
    ['no product', { productKey: undefined }, 400, 'invalid-request', 'productKey'],
    ['an unknown field', { colour: 'red' }, 400, 'invalid-request', 'colour'],
    ['a field named __proto__', { ['__proto__']: 'x' }, 400, 'invalid-request', '__proto__'],
    ['a field of 2 KB', { version: 'v'.repeat(2_048) }, 400, 'invalid-request', 'version'],
    ['an unknown digest', { signMethod: 'CRC32' }, 400, 'invalid-request', 'signMethod'],
    ['a module with a blank', { module: 'a b' }, 400, 'invalid-request', 'module'],
    ['an unknown product', { productKey: 'nobody' }, 404, 'not-found', undefined],
  ])('refuses %s, whether the fields stand before or behind the file', async (_what, change, status, code, field) => {
    const fields = Object.fromEntries(
      Object.entries({ ...FIELDS, ...change }).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
    const behind = new FormData();
    behind.set('file', new Blob(['x']), 'x.bin');
    for (const [name, value] of Object.entries(fields)) behind.set(name, value);
    for (const form of [firmwareForm(fields, Buffer.from('x')), behind]) {
      const answer = await world.send<ProblemBody>('POST', '/v1/firmware', { body: form });
      expect(answer).toMatchObject({ status, body: { code } });
      if (field !== undefined) expect(answer.body.errors?.map((error) => error.field)).toContain(field);
      expect(await world.files()).toEqual([]);
    }
  });

  it.each([
    ['no file', [['name', 'a']], 'file'],
    ['a file that is a field', [['file', 'text']], 'file'],
    [
      'a field twice',
      [
        ['name', 'a'],
        ['name', 'b'],
      ],
      'name',
    ],
    [
      'two files',
      [
        ['file', new Blob(['x'])],
        ['file', new Blob(['y'])],
      ],
      'file',
    ],
    ['a file of another name', [['firmware', new Blob(['x'])]], 'firmware'],
    ['twenty parts', Array.from({ length: 20 }, (_, i) => [`name${i}`, 'x']), 'name0'],
  ] as [string, [string, string | Blob][], string][])('refuses a form with %s', async (_what, parts, field) => {
    const form = new FormData();
    for (const [name, value] of parts) form.append(name, value);
    const { status, body } = await world.send<ProblemBody>('POST', '/v1/firmware', { body: form });
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid-request' });
    expect(body.errors?.[0]?.field).toBe(field);
    expect(await world.files()).toEqual([]);
  });

  it('refuses an empty file', async () => {
    const answer = await world.upload<ProblemBody>(FIELDS, Buffer.alloc(0));
    expect(answer).toMatchObject({ status: 422, body: { code: 'firmware-empty' } });
  });

  it.each([
    ['JSON', { 'content-type': 'application/json' }, '{}', 415, 'unsupported-media-type'],
    ['no content type', {}, undefined, 415, 'unsupported-media-type'],
    ['a form without boundary', { 'content-type': 'multipart/form-data' }, 'x', 400, 'invalid-request'],
    [
      'a form that breaks off',
      { 'content-type': 'multipart/form-data; boundary=x' },
      '--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nabc',
      400,
      'invalid-request',
    ],
    ['what is no form', { 'content-type': 'multipart/form-data; boundary=x' }, 'hello', 400, 'invalid-request'],
  ])('refuses %s', async (_what, headers, body, status, code) => {
    const init = { headers: headers as Record<string, string>, ...(body !== undefined && { body }) };
    expect(await world.send<ProblemBody>('POST', '/v1/firmware', init)).toMatchObject({ status, body: { code } });
    expect(await world.files()).toEqual([]);
  });

  it('refuses a version that exists, and keeps the file of the one that has it', async () => {
    const bytes = Buffer.from('same content');
    await world.upload(FIELDS, bytes);
    const again = await world.upload<ProblemBody>({ ...FIELDS, name: 'other' }, bytes);
    expect(again).toMatchObject({ status: 422, body: { code: 'firmware-version-exists' } });
    expect(await world.files()).toHaveLength(1);
    await world.upload<ProblemBody>({ ...FIELDS, name: 'other' }, Buffer.from('other content'));
    expect(await world.files()).toHaveLength(1);
  });

  it('answers a repeat with the same key, and refuses the key for another file', async () => {
    const key = { 'idempotency-key': 'upload-1' };
    const first = await world.upload(FIELDS, Buffer.from('x'), key);
    const repeat = await world.upload(FIELDS, Buffer.from('x'), key);
    expect(repeat).toMatchObject({ status: 201, body: { id: first.body['id'] } });
    expect(repeat.headers.get('idempotency-replayed')).toBe('true');
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    const other = await world.upload<ProblemBody>(FIELDS, Buffer.from('y'), key);
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    expect(await world.files()).toHaveLength(1);
  });

  it('adds exactly 100 of 150 simultaneous uploads, and only their files stay', async () => {
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, i) =>
        world.upload<ProblemBody & { sha256: string }>({ ...FIELDS, version: `1.0.${i}` }, Buffer.from(`content ${i}`)),
      ),
    );
    const added = answers.filter(({ status }) => status === 201);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(added).toHaveLength(100);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
      new Set(['422 firmware-quota-exceeded']),
    );
    expect((await world.files()).sort()).toEqual(added.map(({ body }) => body.sha256).sort());
  });

  it('adds exactly one of 30 simultaneous uploads of one version, and its file stays', async () => {
    const answers = await Promise.all(Array.from({ length: 30 }, () => world.upload(FIELDS, Buffer.from('one'))));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(await world.files()).toHaveLength(1);
  });

  it('counts deleted firmware in the quota', async () => {
    await world.close();
    world = await World.open({ limits: { nameCharactersMax: 32, fileBytesMax: 1_000, firmwareMax: 2 } });
    await world.product();
    const id = await world.firmware('1');
    await world.call('DELETE', `/v1/firmware/${id}`);
    await world.firmware('2');
    const third = await world.upload<ProblemBody>({ ...FIELDS, version: '3' });
    expect(third).toMatchObject({ status: 422, body: { code: 'firmware-quota-exceeded' } });
    expect((await world.get<{ quota: unknown }>('/v1/firmware')).body.quota).toEqual({ used: 2, max: 2 });
  });
});

describe('Firmware', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product();
  });
  afterEach(() => world.close());

  it('is listed newest first, page by page, without deleted ones', async () => {
    for (const version of ['1', '2', '3']) await world.firmware(version);
    const first = await world.get<{ items: { id: string; version: string }[]; nextCursor: string }>(
      '/v1/firmware?limit=2',
    );
    const second = await world.get<{ items: { version: string }[]; nextCursor: null }>(
      `/v1/firmware?limit=2&cursor=${first.body.nextCursor}`,
    );
    expect([...first.body.items, ...second.body.items].map(({ version }) => version).sort()).toEqual(['1', '2', '3']);
    expect(second.body.nextCursor).toBeNull();

    const [newest] = first.body.items;
    await world.call('DELETE', `/v1/firmware/${newest?.id ?? ''}`);
    const { body } = await world.get<{ items: unknown[] }>('/v1/firmware');
    expect(body.items).toHaveLength(2);
    expect((await world.get(`/v1/firmware/${newest?.id ?? ''}`)).body['deletedAt']).not.toBeNull();
  });

  it('loses its file when it is deleted, unless another has the same content', async () => {
    const one = await world.firmware('1', 'same');
    const two = await world.firmware('2', 'same');
    await world.call('DELETE', `/v1/firmware/${one}`);
    expect(await world.files()).toHaveLength(1);
    await world.call('DELETE', `/v1/firmware/${two}`);
    expect(await world.files()).toEqual([]);
  });

  it('is not deleted while an open task uses it', async () => {
    const id = await world.firmware();
    await world.post(`/v1/firmware/${id}/verifications`, { deviceNames: ['lamp-1'] });
    const answer = await world.call<ProblemBody>('DELETE', `/v1/firmware/${id}`);
    expect(answer).toMatchObject({ status: 409, body: { code: 'firmware-in-use' } });
    expect(await world.files()).toHaveLength(1);
  });
});

describe('The stored file of a firmware', () => {
  let world: World;
  let id: string;
  const bytes = Buffer.from('the firmware as it was built');
  beforeEach(async () => {
    world = await World.open();
    await world.product();
    id = (await world.upload<{ id: string }>(FIELDS, bytes)).body.id;
  });
  afterEach(() => world.close());

  it('is given back as it was added, under a name that says what it is', async () => {
    const response = await world.request(`/v1/firmware/${id}/file`);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
    expect(response.headers.get('content-length')).toBe(String(bytes.length));
    expect(response.headers.get('etag')).toBe(`"${createHash('sha256').update(bytes).digest('hex')}"`);
    expect(response.headers.get('cache-control')).toContain('no-transform');
    expect(response.headers.get('content-disposition')).toBe(
      `attachment; filename="lamp___-2.0.0.bin"; filename*=UTF-8''lamp_${encodeURIComponent('固件')}-2.0.0.bin`,
    );
    expect((await world.request(`/v1/firmware/${id}/file`, { method: 'HEAD' })).status).toBe(200);
  });

  it('is written down in the audit log', async () => {
    await (await world.request(`/v1/firmware/${id}/file`)).arrayBuffer();
    const { body } = await world.get<{ items: object[] }>('/v1/audit?action=firmware.download');
    expect(body.items).toMatchObject([{ actor: 'admin', target: `firmware/${id}`, outcome: 'done' }]);
  });

  it('is refused once it is deleted, and where there is none', async () => {
    await world.call('DELETE', `/v1/firmware/${id}`);
    expect(await world.get(`/v1/firmware/${id}/file`)).toMatchObject({
      status: 409,
      body: { code: 'firmware-deleted' },
    });
    expect(await world.get('/v1/firmware/none/file')).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });

  it('is refused with an encoding that would be stored with it', async () => {
    const part = (headers: string, content: string) =>
      `--x\r\nContent-Disposition: form-data; ${headers}\r\n\r\n${content}\r\n`;
    const fields = Object.entries({ ...FIELDS, version: '3' }).map(([name, value]) => part(`name="${name}"`, value));
    const file = part('name="file"; filename="a.bin"\r\nContent-Transfer-Encoding: base64', 'Zmlybdandhcm');
    const answer = await world.send<ProblemBody>('POST', '/v1/firmware', {
      body: `${fields.join('')}${file}--x--\r\n`,
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'file' }] } });
    expect(answer.body.detail).toMatch(/Content-Transfer-Encoding base64/);
  });

  it('counts for its own product where the token is of one, and for all where it is not', async () => {
    await world.post('/v1/products', { productKey: 'ovens', name: 'Oven' });
    const { body } = await world.post<{ token: string }>('/v1/tokens', {
      name: 'O',
      role: 'viewer',
      productKey: 'ovens',
    });
    const quota = async (token?: string) =>
      (
        await world.send<{ quota: { used: number } }>('GET', '/v1/firmware', {
          ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
        })
      ).body.quota.used;
    expect([await quota(), await quota(body.token)]).toEqual([1, 0]);
  });
});
