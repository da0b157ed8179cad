import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawRequest, readAnswer } from './raw-http.js';
import { PRODUCT, TOKEN, World } from './world.js';

const BOUNDARY = 'b0undary';
const part = (name: string, value: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const FIELDS = part('name', 'lamp') + part('productKey', PRODUCT) + part('version', '2.0.0');
const FILE = `--${BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n`;
const END = `\r\n--${BOUNDARY}--\r\n`;
const HEAD = [
  'POST /v1/firmware HTTP/1.1',
  `Authorization: Bearer ${TOKEN}`,
  `Content-Type: multipart/form-data; boundary=${BOUNDARY}`,
];

describe('An upload over a socket', () => {
  let world: World;
  let port: number;
  beforeEach(async () => {
    world = await World.open();
    ({ port } = await world.listen());
    await world.product([]);
    await world.post('/v1/products', { productKey: PRODUCT, name: 'Lamp' });
  });
  afterEach(() => world.close());

  it('is stored', async () => {
    const body = Buffer.from(`${FIELDS}${FILE}abc${END}`);
    const { status } = await rawRequest(port, [...HEAD, `Content-Length: ${body.length}`], body);
    expect(status).toBe(201);
    expect(await world.files()).toHaveLength(1);
  });

  it('of 30 MB is refused with 413 to a client that sends all before it reads', async () => {
    const body = Buffer.concat([Buffer.from(FIELDS + FILE), Buffer.alloc(30 * 1024 * 1024), Buffer.from(END)]);
    const { status, body: problem } = await rawRequest(port, [...HEAD, `Content-Length: ${body.length}`], body);
    expect(status).toBe(413);
    expect(problem.toString()).toContain('firmware-too-large');
    expect(await world.files()).toEqual([]);
  });

  it('of unknown length is refused with 413 once it is too large', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write([...HEAD, 'Host: a', 'Connection: close', 'Transfer-Encoding: chunked', '', ''].join('\r\n'));
    const chunk = (bytes: Buffer) =>
      socket.write(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]));
    chunk(Buffer.from(FIELDS + FILE));
    for (let i = 0; i < 12; i++) chunk(Buffer.alloc(1024 * 1024));
    chunk(Buffer.from(END));
    socket.write('0\r\n\r\n');
    expect((await readAnswer(socket)).status).toBe(413);
    expect(await world.files()).toEqual([]);
  });

  it('that breaks off leaves nothing', async () => {
    const socket = connect(port, '127.0.0.1');
    socket.write([...HEAD, 'Host: a', 'Content-Length: 5000000', '', FIELDS + FILE].join('\r\n'));
    socket.write(Buffer.alloc(1_000_000));
    // Until the file has begun to be written.
    while ((await world.files()).length === 0) await turn();
    socket.destroy();
    await once(socket, 'close');
    while ((await world.files()).length > 0) await turn();
    expect((await world.get<{ items: unknown[] }>('/v1/firmware')).body.items).toEqual([]);
  });

  it('is refused before its file is read when the fields before it are wrong', async () => {
    const unread = await World.open({
      store: {
        isIntact: () => Promise.resolve('intact'),
        list: () => Promise.resolve([]),
        put: () => Promise.reject(new Error('the file was read')),
        read: () => Promise.reject(new Error('not used')),
        remove: () => Promise.resolve(),
      },
    });
    try {
      const { port: unreadPort } = await unread.listen();
      const wrong = part('name', 'a-b') + part('productKey', PRODUCT) + part('version', '2.0.0');
      const body = Buffer.concat([Buffer.from(wrong + FILE), Buffer.alloc(3_000_000), Buffer.from(END)]);
      const answer = await rawRequest(unreadPort, [...HEAD, `Content-Length: ${body.length}`], body);
      expect(answer.status).toBe(422);
      expect(answer.body.toString()).toContain('firmware-name-invalid');
    } finally {
      await unread.close();
    }
  });

  it('is not read without a token', async () => {
    const body = Buffer.from(`${FIELDS}${FILE}abc${END}`);
    const head = HEAD.map((line) => line.replace(TOKEN, 'wrong'));
    const { status } = await rawRequest(port, [...head, `Content-Length: ${body.length}`], body);
    expect(status).toBe(401);
    expect(await world.files()).toEqual([]);
  });
});

describe('A request that is no HTTP of ours', () => {
  it('is answered with a problem when its Host is missing or malformed', async () => {
    const world = await World.open();
    try {
      const { port } = await world.listen();
      const socket = connect(port, '127.0.0.1');
      socket.write('GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n');
      const { status, body } = await readAnswer(socket);
      expect(status).toBe(400);
      expect(body.toString()).toContain('invalid-request');
    } finally {
      await world.close();
    }
  });
});
