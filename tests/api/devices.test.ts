import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'csv-stringify/sync';
import { secretsCsv } from '../../domain/secrets-csv.js';
import { PRODUCT, World, type ProblemBody } from './world.js';

interface Registered {
  devices: { deviceName: string; deviceSecret: string; protocol: string }[];
}
const PATH = `/v1/products/${PRODUCT}/devices`;

describe('Products', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
  });
  afterEach(() => world.close());

  it('are created with the key given, or with one that is made', async () => {
    const named = await world.post('/v1/products', { productKey: 'a1B', name: 'Lamp' });
    expect(named).toMatchObject({ status: 201, body: { productKey: 'a1B', name: 'Lamp' } });
    const made = await world.post<{ productKey: string }>('/v1/products', { name: 'Lamp' });
    expect(made.body.productKey).toMatch(/^[0-9a-z]{11}$/);
    const { body } = await world.get<{ items: { productKey: string }[] }>('/v1/products');
    expect(body.items.map(({ productKey }) => productKey).sort()).toEqual(['a1B', made.body.productKey].sort());
  });

  it('have a key of their own', async () => {
    await world.post('/v1/products', { productKey: 'a1', name: 'Lamp' });
    const again = await world.post<ProblemBody>('/v1/products', { productKey: 'a1', name: 'Fan' });
    expect(again).toMatchObject({ status: 409, body: { code: 'product-exists' } });
  });

  it.each(['a\0b', 'a\ud800', 'a\u202eb', ' '])('are not called %j: a name is shown as text', async (name) => {
    expect(await world.post('/v1/products', { name })).toMatchObject({
      status: 400,
      body: { code: 'invalid-request' },
    });
  });

  it.each(['', '  ', 'a\u202eb', 'a'.repeat(65)])('are not renamed to %j, as they are not created so', async (name) => {
    await world.product([]);
    const path = `/v1/products/${PRODUCT}`;
    const before = await world.get(path);
    expect(await world.call('PATCH', path, { name })).toMatchObject({
      ...{ status: 400, body: { code: 'invalid-request', errors: [{ field: 'name' }] } },
    });
    expect((await world.get(path)).body).toEqual(before.body);
  });

  it('are answered to the one who has created them only: others have idempotency keys of their own', async () => {
    const of = async (name: string) => {
      const { body } = await world.call<{ token: string }>('POST', '/v1/tokens', { name, role: 'admin' });
      return { authorization: `Bearer ${body.token}`, 'content-type': 'application/json', 'idempotency-key': '1' };
    };
    const [ada, bob] = [await of('ada'), await of('bob')];
    await world.product();
    const register = (headers: Record<string, string>) =>
      world.send<{ deviceSecret?: string; code?: string }>('POST', PATH, { body: '{"deviceName":"n1"}', headers });
    const first = await register(ada);
    expect(first.status).toBe(201);
    expect(await register(bob)).toMatchObject({ status: 409, body: { code: 'device-exists' } });
    expect((await register(ada)).body).toEqual(first.body);
  });

  it('with the key and body of a creation on another route are another request', async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'one' };
    for (const productKey of ['one', 'two']) await world.call('POST', '/v1/products', { productKey, name: productKey });
    const register = (productKey: string) =>
      world.send<ProblemBody>('POST', `/v1/products/${productKey}/devices`, {
        body: '{"deviceName":"a","deviceSecret":"secret-of-one"}',
        headers,
      });
    expect((await register('one')).status).toBe(201);
    const elsewhere = await register('two');
    expect(elsewhere).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
    expect(JSON.stringify(elsewhere.body)).not.toContain('secret-of-one');
    expect(await world.records.getDevice({ productKey: 'two', deviceName: 'a' })).toBeUndefined();
  });

  it('are created once for one idempotency key', async () => {
    const create = (name: string) =>
      world.send<ProblemBody>('POST', '/v1/products', {
        body: JSON.stringify({ name }),
        headers: { 'content-type': 'application/json', 'idempotency-key': 'key-1' },
      });
    const first = await create('Lamp');
    const repeat = await create('Lamp');
    expect(repeat.body['productKey']).toBe(first.body['productKey']);
    expect(repeat.headers.get('idempotency-replayed')).toBe('true');
    expect(await create('Fan')).toMatchObject({ status: 422, body: { code: 'idempotency-key-reused' } });
  });
});

describe('Registering devices', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product([]);
    await world.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
  });
  afterEach(() => world.close());

  const csv = (body: string, headers: Record<string, string> = {}) =>
    world.send<Registered & ProblemBody>('POST', PATH, { body, headers: { 'content-type': 'text/csv', ...headers } });

  it('takes one, and makes its secret', async () => {
    const { status, body } = await world.post<Registered>(PATH, { deviceName: 'lamp-1' });
    expect(status).toBe(201);
    expect(body.devices).toEqual([
      { deviceName: 'lamp-1', deviceSecret: expect.stringMatching(/^[0-9a-z]{32}$/) as string, protocol: 'mqtt' },
    ]);
    const [device] = body.devices;
    const key = { productKey: PRODUCT, deviceName: 'lamp-1' };
    expect(await world.records.deviceSecret(key)).toBe(device?.deviceSecret);
  });

  it('takes many, with their secrets and protocols', async () => {
    const devices = [
      { deviceName: 'lamp-1', deviceSecret: 'secret-of-lamp-1', protocol: 'http' },
      { deviceName: 'lamp-2' },
    ];
    const { body } = await world.post<Registered>(PATH, { devices });
    expect(body.devices[0]).toEqual(devices[0]);
    expect(body.devices[1]?.deviceSecret).toHaveLength(32);
  });

  it('takes CSV, with or without secrets and protocols', async () => {
    const { status, body } = await csv(
      '\uFEFFdeviceName,protocol,deviceSecret\r\nlamp-1,coap,12345678\r\n\r\nlamp-2,,\r\n',
    );
    expect(status).toBe(201);
    expect(body.devices).toMatchObject([
      { deviceName: 'lamp-1', deviceSecret: '12345678', protocol: 'coap' },
      { deviceName: 'lamp-2', protocol: 'mqtt' },
    ]);
  });

  const utf16 = (text: string, order: 'le' | 'be', mark = true) => {
    const bytes = Buffer.from(`${mark ? '\uFEFF' : ''}${text}`, 'utf16le');
    return order === 'le' ? bytes : bytes.swap16();
  };
  const HEADER = 'deviceName,deviceSecret,protocol';

  it.each<[string, string | Buffer]>([
    ['a header that ends in CR LF above rows that end in LF', `${HEADER}\r\na,,mqtt\nb,,mqtt\n`],
    ['rows that end in CR LF below a header that ends in LF', `${HEADER}\na,,mqtt\r\nb,,mqtt\r\n`],
    ['all three line ends', `${HEADER}\ra,,mqtt\r\nb,,mqtt\n`],
    ['line ends of old Macs', `${HEADER}\ra,,mqtt\rb,,mqtt\r`],
    ['no line end at its end', `${HEADER}\na\nb`],
    ['last cells left out', `${HEADER}\na,,mqtt\nb\n`],
    ['empty cells behind the last column', `${HEADER},,\na,,mqtt,,\nb,,,,\n`],
    ['rows of separators at the end', `${HEADER}\na,,\nb,,\n,,\n,,\n"",,\n`],
    ['rows of separators and blank lines between', `\n${HEADER}\n,,\na,,\n\n  \nb,,\n`],
    ['more blank lines than a table may have lines', `${HEADER}\na,,\n${'\n'.repeat(25_000)}b,,\n`],
    ['semicolons', 'deviceName;protocol\na;mqtt\nb;\n'],
    ['semicolons, named by a first line', 'sep=;\r\ndeviceName;protocol\r\na;mqtt\r\nb;\r\n'],
    ['tabs', 'deviceName\tdeviceSecret\tprotocol\na\t\tmqtt\nb\n'],
    ['quotes around all', '"deviceName";"protocol"\n"a";"mqtt"\n"b";""\n'],
    ['blanks around all', ' deviceName , protocol \n a , mqtt \n "b" , \n'],
    ['headings in other letters', 'Device Name,PROTOCOL\na,mqtt\nb,mqtt\n'],
    ['UTF-16 with a mark', utf16('deviceName\tprotocol\r\na\tmqtt\r\nb\t\r\n', 'le')],
    ['UTF-16 of the other byte order', utf16('deviceName\tprotocol\r\na\tmqtt\r\nb\t\r\n', 'be')],
    ['UTF-16 without a mark', utf16('deviceName,protocol\na,mqtt\nb,\n', 'le', false)],
  ])('takes a CSV with %s', async (_what, body) => {
    const answer = await world.send<Registered & ProblemBody>('POST', PATH, {
      body: new Uint8Array(Buffer.from(body)),
      headers: { 'content-type': 'text/csv' },
    });
    expect(answer.body.detail).toBeUndefined();
    expect(answer.body.devices.map(({ deviceName, protocol }) => [deviceName, protocol])).toEqual([
      ['a', 'mqtt'],
      ['b', 'mqtt'],
    ]);
  });

  it('takes what our own exports write: secrets with quotes and separators, names that look like formulas', async () => {
    const devices = [
      { deviceName: '@lamp', deviceSecret: '="a;,b\'c', protocol: 'mqtt' as const },
      { deviceName: '-lamp', deviceSecret: "'=secret;;", protocol: 'http' as const },
    ];
    expect((await csv(secretsCsv(devices))).body.devices).toEqual(devices);
    const escaped = stringify([['deviceName'], ['@fan'], ['-fan']], { escape_formulas: true });
    expect((await csv(escaped)).body.devices.map(({ deviceName }) => deviceName)).toEqual(['@fan', '-fan']);
  });

  it.each([
    [
      'more cells than its header',
      'deviceName,protocol\r\na,mqtt\nb,mqtt,x\n',
      'line 3',
      /has 3 cells, but the header line \(deviceName,protocol\) has 2/,
    ],
    ['a quote that is not closed', `deviceName\n"a\n${'b\n'.repeat(5_000)}`, 'line 2', /not be closed|never closed/],
    ['something behind a quote', 'deviceName\na\n"b"c\n', 'line 3', /behind a closing quote/],
    ['a separator of its own', 'deviceName|protocol\na|mqtt\n', 'line 1', /commas, semicolons or tabs/],
    [
      'a wrong name behind a cell of two lines',
      'deviceName,protocol\n"a\nb",mqtt\nc d,mqtt\n',
      'line 3, deviceName',
      /./,
    ],
  ])('says in words what is wrong with a CSV that has %s', async (_what, text, field, message) => {
    const { status, body } = await csv(text);
    const fault = body.errors?.find((error) => error.field.startsWith(field));
    expect({ status, message: fault?.message }).toEqual({
      status: 400,
      message: expect.stringMatching(message) as string,
    });
  });

  it('names every bad line of a CSV', async () => {
    const { status, body } = await csv(
      'deviceName,protocol\nlamp-1,mqtt\nlamp 2,mqtt\nlamp-3,smoke\n,mqtt\nlamp-5,mqtt\n',
    );
    expect({ status, code: body.code }).toEqual({ status: 400, code: 'invalid-request' });
    expect(body.errors?.map(({ field }) => field)).toEqual([
      'line 3, deviceName',
      'line 4, protocol',
      'line 5, deviceName',
    ]);
    expect((await world.get<{ items: unknown[] }>(PATH)).body.items).toEqual([]);
  });

  it.each([
    ['an unknown column', 'deviceName,colour\na,red\n', 'line 1'],
    ['no column of names', 'protocol\nmqtt\n', 'line 1'],
    ['a column twice', 'deviceName,deviceName\na,b\n', 'line 1'],
    ['no device', 'deviceName\n', 'body'],
    ['nothing at all', '', 'body'],
    ['a line that is too long', 'deviceName\na,b\n', 'line 2'],
    ['an open quote', 'deviceName\n"a\n', 'line 2'],
    ['a device twice', 'deviceName\na\nb\na\n', 'line 4, deviceName'],
  ])('refuses a CSV with %s', async (_what, text, field) => {
    const { status, body } = await csv(text);
    expect({ status, code: body.code, field: body.errors?.[0]?.field }).toEqual({
      status: 400,
      code: 'invalid-request',
      field,
    });
  });

  it('registers all of them or none', async () => {
    await world.post(PATH, { deviceName: 'lamp-2' });
    const answer = await world.post<ProblemBody>(PATH, {
      devices: [{ deviceName: 'lamp-1' }, { deviceName: 'lamp-2' }],
    });
    expect(answer).toMatchObject({ status: 409, body: { code: 'device-exists', deviceNames: ['lamp-2'] } });
    expect((await world.get<{ items: unknown[] }>(PATH)).body.items).toHaveLength(1);
  });

  it('answers the same secrets to a repeat with the same key', async () => {
    const register = () => csv('deviceName\nlamp-1\nlamp-2\n', { 'idempotency-key': 'k' });
    const first = await register();
    const repeat = await register();
    expect(repeat.status).toBe(201);
    expect(repeat.body).toEqual(first.body);
    expect(repeat.headers.get('idempotency-replayed')).toBe('true');
  });

  it('takes 10,000 in one request and no more', async () => {
    const lines = Array.from({ length: 10_001 }, (_, i) => `device-${i}`);
    expect(await csv(`deviceName\n${lines.join('\n')}\n`)).toMatchObject({ status: 400 });
    expect(await csv(`deviceName\n${lines.slice(1).join('\n')}\n`)).toMatchObject({ status: 201 });
  });

  it('needs a product that exists', async () => {
    const answer = await world.post<ProblemBody>('/v1/products/nobody/devices', { deviceName: 'a' });
    expect(answer).toMatchObject({ status: 404, body: { code: 'not-found' } });
  });
});

describe('Devices', () => {
  let world: World;
  beforeEach(async () => {
    world = await World.open();
    await world.product(['lamp-1', 'lamp-2', 'lamp-3', 'fan-1']);
  });
  afterEach(() => world.close());

  const names = async (query: string) =>
    (await world.get<{ items: { deviceName: string }[] }>(PATH + query)).body.items.map(({ deviceName }) => deviceName);

  it('are listed by name, page by page, and never show a secret', async () => {
    const first = await world.get<{ items: object[]; nextCursor: string }>(`${PATH}?limit=3`);
    expect(first.body.items).toHaveLength(3);
    expect(JSON.stringify(first.body)).not.toContain('ecret');
    expect(await names(`?limit=3&cursor=${encodeURIComponent(first.body.nextCursor)}`)).toEqual(['lamp-3']);
  });

  it('are found by version, presence and part of the name', async () => {
    await world.runs('lamp-2', '2.0.0');
    await world.records.deviceConnected({ productKey: PRODUCT, deviceName: 'lamp-3' }, 'c1', Date.now());
    expect(await names('?version=2.0.0')).toEqual(['lamp-2']);
    expect(await names('?online=true')).toEqual(['lamp-3']);
    expect(await names('?online=false&search=lamp')).toEqual(['lamp-1', 'lamp-2']);
  });

  it('show their version, their current update and their history', async () => {
    const taskId = await world.batch();
    await world.notify(taskId, 'lamp-1');
    const { body } = await world.get(`${PATH}/lamp-1`);
    expect(body).toMatchObject({
      deviceName: 'lamp-1',
      version: '1.0.0',
      online: false,
      modules: [{ module: 'default', version: '1.0.0' }],
      currentUpdate: { taskId, status: 'notified', waitingFor: { what: 'response' } },
      history: { items: [{ taskId, status: 'notified' }, { status: 'completed' }], nextCursor: null },
    });
    const history = await world.get<{ items: object[]; nextCursor: string }>(`${PATH}/lamp-1/updates?limit=1`);
    expect(history.body.items).toMatchObject([
      { taskId, sourceVersions: ['1.0.0'], firmware: { name: 'lamp', module: 'default', version: '2.0.0' } },
    ]);
    expect(history.body.nextCursor).not.toBeNull();
  });

  it('are not found under another name', async () => {
    for (const path of [`${PATH}/nobody`, `${PATH}/nobody/updates`, '/v1/products/nobody/devices']) {
      expect(await world.get<ProblemBody>(path)).toMatchObject({ status: 404, body: { code: 'not-found' } });
    }
  });
});
