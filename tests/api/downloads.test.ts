import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createDownloadHandler } from '../../api/downloads.js';
import { createDownloadTokens } from '../../firmware/download-token.js';
import type { DeviceUpdateRecord } from '../../records/records.js';
import { rawRequest, readAnswer, type RawAnswer } from './raw-http.js';
import { PRODUCT, World } from './world.js';

const BYTES = randomBytes(300_000);
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const HOUR_MS = 3_600_000;
/** What waits until something else has come about. */
function gate(): { readonly passed: Promise<void>; readonly open: () => void } {
  let open = () => undefined as void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open: () => open() };
}
const encodedLetter = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`;

describe('A firmware download', () => {
  let world: World;
  let port: number;
  let taskId: string;
  let updateId: number;
  let path: string;
  let firmwareId: string;

  beforeAll(async () => {
    world = await World.open();
    ({ port } = await world.listen());
    await world.product(['lamp-1', 'lamp-2', 'lamp-3']);
    const { body } = await world.upload({ name: 'lamp', productKey: PRODUCT, version: '2.0.0' }, BYTES);
    firmwareId = String(body['id']);
    const task = await world.post<{ id: string }>(`/v1/firmware/${firmwareId}/verifications`, {
      deviceNames: ['lamp-1', 'lamp-2', 'lamp-3'],
    });
    taskId = task.body.id;
    updateId = (await world.notify(taskId, 'lamp-1')).id;
    path = pathOf(updateId);
  });
  afterAll(() => world.close());

  const pathOf = (deviceUpdateId: number, expiresAtMs = Date.now() + HOUR_MS) =>
    `/files/${world.tokens.mint({ deviceUpdateId, expiresAtMs })}`;
  const storedPath = () => join(world.filesFolder, SHA256.slice(0, 2), SHA256.slice(2, 4), SHA256);
  const get = (headers: readonly string[] = [], method = 'GET'): Promise<RawAnswer> =>
    rawRequest(port, [`${method} ${path} HTTP/1.1`, ...headers]);

  const untilNoted = (deviceName: string): Promise<DeviceUpdateRecord> =>
    new Promise((resolve, reject) => {
      const look = () =>
        void world.records.getDeviceUpdate(taskId, deviceName).then((record) => {
          if (!record || record.lastDownloadAtMs === null) return;
          stop();
          resolve(record);
        }, reject);
      const stop = world.records.onChange(look);
      look();
    });

  it('is the whole file, under header names in the letters that C devices look for', async () => {
    const { status, headers, body } = await get();
    expect(status).toBe(200);
    expect(headers.get('Content-Length')).toBe('300000');
    expect(headers.get('Accept-Ranges')).toBe('bytes');
    expect(headers.get('ETag')).toBe(`"${SHA256}"`);
    expect(Array.from(headers.keys())).not.toContain('Transfer-Encoding');
    expect(body.equals(BYTES)).toBe(true);
  });

  it.each([
    ['bytes=0-', 0, 299_999],
    ['bytes=0-0', 0, 0],
    ['bytes=131072-', 131_072, 299_999],
    ['bytes=100-199', 100, 199],
    ['bytes=299999-', 299_999, 299_999],
    ['bytes=0-999999999', 0, 299_999],
    ['bytes=-500', 299_500, 299_999],
    ['bytes=-999999999', 0, 299_999],
    ['bytes=0-9,10-19', 0, 19],
  ])('with the range %s is that part', async (range, start, end) => {
    const { status, headers, body } = await get([`Range: ${range}`]);
    expect(status).toBe(206);
    expect(headers.get('Content-Range')).toBe(`bytes ${start}-${end}/300000`);
    expect(headers.get('Content-Length')).toBe(String(end - start + 1));
    expect(body.equals(BYTES.subarray(start, end + 1))).toBe(true);
  });

  it.each(['bytes=300000-', 'bytes=300000-300001', 'bytes=-0'])(
    'with the range %s is refused with 416',
    async (range) => {
      const { status, headers, body } = await get([`Range: ${range}`]);
      expect(status).toBe(416);
      expect(headers.get('Content-Range')).toBe('bytes */300000');
      expect(body).toHaveLength(0);
    },
  );

  it.each(['bytes=', 'bytes=a-b', 'lines=0-1', 'nonsense', 'bytes=0-1,100-101'])(
    'with the range %s is the whole file, as if there was none',
    async (range) => {
      const { status, headers } = await get([`Range: ${range}`]);
      expect({ status, length: headers.get('Content-Length') }).toEqual({ status: 200, length: '300000' });
    },
  );

  it('goes on only with the same file', async () => {
    expect((await get(['Range: bytes=5-', `If-Range: "${SHA256}"`])).status).toBe(206);
    expect((await get(['Range: bytes=5-', 'If-Range: "other"'])).status).toBe(200);
    expect((await get(['Range: bytes=5-', 'If-Range: Wed, 21 Oct 2015 07:28:00 GMT'])).status).toBe(200);
  });

  it('is not sent again to who has it', async () => {
    const { status, headers, body } = await get([`If-None-Match: "other", W/"${SHA256}"`]);
    expect({ status, etag: headers.get('ETag'), length: body.length }).toEqual({
      status: 304,
      etag: `"${SHA256}"`,
      length: 0,
    });
    expect((await get(['If-None-Match: "other"'])).status).toBe(200);
  });

  it('shows its head alone to HEAD', async () => {
    const whole = await get([], 'HEAD');
    expect(whole.status).toBe(200);
    expect(whole.headers.get('Content-Length')).toBe('300000');
    expect(whole.body).toHaveLength(0);
  });

  it.each(['bytes=0-0', 'bytes=300000-'])(
    'shows to HEAD the head of the whole file, also with the range %s',
    async (range) => {
      const { status, headers } = await get([`Range: ${range}`], 'HEAD');
      expect({ status, length: headers.get('Content-Length'), range: headers.get('Content-Range') }).toEqual({
        status: 200,
        length: '300000',
        range: undefined,
      });
    },
  );

  it.each([
    ['the whole URL', () => `http://ferry.test${path}`],
    ['the whole URL of another host and port', () => `http://10.0.0.7:8080${path}`],
    ['the whole URL in capitals', () => `HTTP://FERRY.TEST${path}`],
    ['the whole URL of https', () => `https://ferry.test${path}?x=1`],
    ['a doubled slash', () => `/${path}`],
    ['encoded letters', () => path.replace('/files/', '/%66iles/').replace(/.$/, encodedLetter)],
  ])('is found by a request target that is %s', async (_what, target) => {
    const { status, body } = await rawRequest(port, [`GET ${target()} HTTP/1.1`]);
    expect({ status, length: body.length }).toEqual({ status: 200, length: 300_000 });
  });

  it('may not be transformed on its way, whole or in part', async () => {
    for (const headers of [[], ['Range: bytes=0-9'], [`If-None-Match: "${SHA256}"`]]) {
      expect((await get(headers)).headers.get('Cache-Control')).toBe('private, no-transform');
    }
  });

  it.each(['gzip', 'gzip;q=0', '*', '*;q=0', 'identity;q=0', 'x-gzip-like', ''])(
    'is never compressed, also for Accept-Encoding: %s',
    async (accepted) => {
      const { headers, body } = await get([`Accept-Encoding: ${accepted}`]);
      expect(headers.get('Content-Encoding')).toBeUndefined();
      expect(body.equals(BYTES)).toBe(true);
    },
  );

  it('takes the unit of a range in any letters', async () => {
    expect((await get(['Range: Bytes=5-9'])).headers.get('Content-Range')).toBe('bytes 5-9/300000');
  });

  it('is there for a host of any name', async () => {
    for (const host of ['', '[::1]:8080', 'ferry.test.', 'a_b', 'Ferry.Test:99999']) {
      const socket = connect(port, '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nRange: bytes=0-0\r\nConnection: close\r\n\r\n`);
      expect((await readAnswer(socket)).status, host).toBe(206);
    }
  });

  it('takes several requests over one connection', async () => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n`;
    socket.write(`${request}\r\n${request}Connection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(text.match(/HTTP\/1\.1 206/g)).toHaveLength(2);
  });

  it('is noted as a sign of life of its device update, and not as progress', async () => {
    const before = Date.now();
    const { id } = await world.notify(taskId, 'lamp-3');
    const answer = await rawRequest(port, [`GET ${pathOf(id)} HTTP/1.1`, 'Range: bytes=0-99']);
    expect(answer.status).toBe(206);
    const noted = await untilNoted('lamp-3');
    expect(noted.lastDownloadAtMs).toBeGreaterThanOrEqual(before);
    expect(noted).toMatchObject({ status: 'notified', startedAtMs: null, step: null });
  });

  it('goes on with its old URL for a device that has begun, and for no other', async () => {
    const { id } = await world.notify(taskId, 'lamp-3');
    const expired = (of: number) =>
      rawRequest(port, [`GET ${pathOf(of, Date.now() - HOUR_MS)} HTTP/1.1`, 'Range: bytes=5-']);
    const device = { productKey: PRODUCT, deviceName: 'lamp-3' };
    await world.records.progressReported(device, { module: null, step: 5, atMs: Date.now() });
    expect((await expired(id)).status).toBe(206);
    expect((await expired(updateId)).status).toBe(404);
  });

  it('is the same 404 when its token is wrong, expired, foreign or of an update that has ended', async () => {
    const ended = (await world.fail(taskId, 'lamp-2', 'download-failed')).id;
    const foreign = createDownloadTokens('another key').mint({
      deviceUpdateId: updateId,
      expiresAtMs: Date.now() + HOUR_MS,
    });
    const bodies = new Set<string>();
    for (const dead of [
      '/files/',
      '/files/x',
      `/files/${foreign}`,
      `${path}/`,
      `${path}x`,
      '/files/..%2f..%2fferry.db',
      '/files/../v1/products',
      `/files/${SHA256}`,
      pathOf(updateId, Date.now() - 1_000),
      pathOf(999_999),
      pathOf(ended),
    ]) {
      const { status, headers, body } = await rawRequest(port, [`GET ${dead} HTTP/1.1`]);
      expect({ dead, status, type: headers.get('Content-Type') }).toEqual({
        dead,
        status: 404,
        type: 'application/problem+json',
      });
      bodies.add(body.toString());
    }
    expect(bodies.size).toBe(1);
  });

  it('is the same 404 for a device that was revoked, and there again when it is restored', async () => {
    const change = (action: string) => world.post(`/v1/products/${PRODUCT}/devices/lamp-1/${action}`);
    await change('revoke');
    expect((await get()).status).toBe(404);
    await change('restore');
    expect((await get()).status).toBe(200);
  });

  it('is the same 404 from the accepted cancellation of its task on, though its run was told nothing', async () => {
    const stopped = await world.post<{ id: string }>(`/v1/firmware/${firmwareId}/verifications`, {
      deviceNames: ['lamp-3'],
    });
    const { id } = await world.notify(stopped.body.id, 'lamp-3');
    const ask = async () => (await rawRequest(port, [`GET ${pathOf(id)} HTTP/1.1`])).status;
    expect(await ask()).toBe(200);
    expect((await world.post(`/v1/tasks/${stopped.body.id}/cancel`)).status).toBe(202);
    expect(await ask()).toBe(404);
  });

  it('takes a query behind its token', async () => {
    expect((await rawRequest(port, [`GET ${path}?x=1 HTTP/1.1`])).status).toBe(200);
  });

  it('refuses other methods', async () => {
    const { status, headers } = await get([], 'POST');
    expect({ status, allow: headers.get('Allow') }).toEqual({ status: 405, allow: 'GET, HEAD' });
  });

  /** A world whose one firmware never ends, and a device in mid-download of it. */
  const endless = async () => {
    const open: ReadStream[] = [];
    const large = await World.open({
      store: {
        isIntact: () => Promise.resolve('intact'),
        list: () => Promise.resolve([]),
        put: () => Promise.reject(new Error('not used')),
        remove: () => Promise.resolve(),
        read: () => {
          const stream = createReadStream('/dev/zero');
          open.push(stream);
          return Promise.resolve(stream);
        },
      },
    });
    onTestFinished(() => large.close());
    const { port: largePort } = await large.listen();
    await large.product(['lamp-1']);
    await addFirmwareRow(large);
    const task = await large.post<{ id: string }>('/v1/firmware/large/verifications', { deviceNames: ['lamp-1'] });
    const { id } = await large.notify(task.body.id, 'lamp-1');
    const token = large.tokens.mint({ deviceUpdateId: id, expiresAtMs: Date.now() + HOUR_MS });
    const socket = connect(largePort, '127.0.0.1');
    socket.write(`GET /files/${token} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await once(socket, 'data');
    const [stream] = open;
    if (!stream) throw new Error('nothing was read');
    return { large, socket, stream, taskId: task.body.id };
  };

  it('lets go of the file when the device goes away', async () => {
    const { socket, stream } = await endless();
    const closed = new Promise<void>((resolve) => stream.on('close', () => resolve()));
    socket.destroy();
    await closed;
    expect(stream.destroyed).toBe(true);
  });

  it.each(['the records', 'the file'])('is forgotten when the device leaves while the wait is for %s', async (what) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const [reached, leftBehind] = [gate(), gate()];
    const waitsFor = async (here: string) => {
      if (here !== what) return;
      reached.open();
      await leftBehind.passed;
    };
    const file = createReadStream('/dev/zero');
    let asked = 0;
    const downloads = createDownloadHandler({
      records: {
        getDeviceUpdateById: async (id) => {
          if (asked++ === 0) await waitsFor('the records');
          return world.records.getDeviceUpdateById(id);
        },
        downloading: () => Promise.resolve(),
      },
      store: {
        read: async () => {
          await waitsFor('the file');
          return file;
        },
      },
      tokens: world.tokens,
      log: pino({ level: 'silent' }),
    });
    const gone = gate();
    const server = createServer((request, response) => {
      response.once('close', gone.open);
      downloads(request, response);
    });
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    await reached.passed;
    socket.destroy();
    await gone.passed;
    const closed = new Promise<void>((resolve) => file.on('error', () => undefined).on('close', () => resolve()));
    leftBehind.open();
    await closed;
    vi.advanceTimersByTime(5_000);
    expect(asked).toBe(1);
  });

  it.each(['cancel', 'end'])('breaks off soon after the %s of its task was accepted', async (what) => {
    const { large, socket, stream, taskId: stopped } = await endless();
    socket.on('error', () => undefined).resume();
    const closed = Promise.all([
      once(socket, 'close'),
      new Promise<void>((resolve) => stream.on('close', () => resolve())),
    ]);
    expect((await large.post(`/v1/tasks/${stopped}/${what}`)).status).toBe(202);
    await closed;
  });

  it('breaks off when its task is paused', async () => {
    const { large, socket } = await endless();
    socket.on('error', () => undefined).resume();
    const closed = once(socket, 'close');
    await large.records.taskBegun((await large.records.listTasks({}, { limit: 1 })).items[0]?.id ?? '', 'run', 1);
    await large.records.pauseTasksOf(SHA256, 'firmware-file-damaged', 2);
    await closed;
  });

  const addFirmwareRow = (into: World) =>
    into.records.addFirmware(
      {
        id: 'large',
        name: 'large',
        productKey: PRODUCT,
        module: 'default',
        version: '9',
        sizeBytes: 2 ** 40,
        signMethod: 'SHA256',
        sign: SHA256,
        sha256: SHA256,
        createdAtMs: Date.now(),
      },
      { firmwareMax: 100 },
    );

  it.each([
    ['has vanished', () => rm(join(world.filesFolder, SHA256.slice(0, 2)), { recursive: true })],
    ['was changed on disk', () => writeFile(storedPath(), Buffer.alloc(BYTES.length, 7))],
    ['was cut short', () => truncate(storedPath(), 10)],
  ])('of a file that %s is refused before any byte, without its path', async (_, damage) => {
    expect((await get()).status).toBe(200);
    await damage();
    const { status, body } = await get(['Range: bytes=0-9']);
    expect(status).toBe(503);
    expect(body.toString()).toContain('"code":"firmware-file-damaged"');
    expect(body.toString()).not.toContain(world.filesFolder);
    await mkdir(dirname(storedPath()), { recursive: true });
    await writeFile(storedPath(), BYTES);
    expect((await get()).status).toBe(200);
  });
});
