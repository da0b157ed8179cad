import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiError, ApiUnreachableError, createApiClient, eachItem, type ApiClient } from '../../api/client.js';
import { PRODUCT, TOKEN, World } from './world.js';

describe('The API client', () => {
  let world: World;
  let client: ApiClient;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ferry-client-'));
    world = await World.open();
    const { url } = await world.listen();
    client = createApiClient({ url, token: TOKEN });
    await world.product();
  });
  afterEach(async () => {
    await world.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function fileOf(bytes: number): Promise<string> {
    const file = join(folder, 'lamp "2".bin');
    await writeFile(file, Buffer.alloc(bytes, 7));
    return file;
  }

  it('uploads a file, telling how far it is', async () => {
    const sent: number[] = [];
    const firmware = await client.addFirmware({
      file: await fileOf(1_000_000),
      name: 'lamp',
      productKey: PRODUCT,
      version: '2.0.0',
      onProgress: (sentBytes, totalBytes) => {
        expect(totalBytes).toBe(1_000_000);
        sent.push(sentBytes);
      },
    });
    expect(firmware).toMatchObject({ sizeBytes: 1_000_000, version: '2.0.0' });
    expect(sent.length).toBeGreaterThan(3);
    expect(sent.at(-1)).toBe(1_000_000);
  });

  it('gets the refusal of a file that is too large', async () => {
    const upload = client.addFirmware({
      file: await fileOf(25_000_000),
      name: 'lamp',
      productKey: PRODUCT,
      version: '2.0.0',
    });
    await expect(upload).rejects.toMatchObject({ status: 413, code: 'firmware-too-large' });
  });

  const upload = (file: string, url?: string) =>
    (url === undefined ? client : createApiClient({ url, token: TOKEN })).addFirmware({
      ...{ file, name: 'lamp', productKey: PRODUCT, version: '2.0.0' },
    });

  it('names a file that can’t be read, before and during its upload', async () => {
    for (const [file, code] of [
      [folder, 'EISDIR'],
      [join(folder, 'missing.bin'), 'ENOENT'],
      ['/proc/self/mem', 'EIO'], // opens, and fails at the first read
    ] as const) {
      await expect(upload(file)).rejects.toMatchObject({ code, path: file });
    }
  });

  it('closes the file, whatever has become of its upload', async () => {
    const isOpen = async (file: string) => {
      const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
      return (await Promise.all(links)).includes(file);
    };
    const large = await fileOf(25_000_000);
    await expect(upload(large, 'http://127.0.0.1:2')).rejects.toBeInstanceOf(ApiUnreachableError);
    expect(await isOpen(large)).toBe(false);
    await expect(upload(large)).rejects.toMatchObject({ status: 413 });
    expect(await isOpen(large)).toBe(false);
    const small = await fileOf(1_000);
    await upload(small);
    expect(await isOpen(small)).toBe(false);
  });

  it('throws refusals with their code, sentence and fields', async () => {
    const error = await client.createProduct({ name: '' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ status: 400, code: 'invalid-request', errors: [{ field: 'name' }] });
  });

  it('says when nobody is there', async () => {
    const nowhere = createApiClient({ url: 'http://127.0.0.1:1', token: TOKEN });
    await expect(nowhere.listProducts()).rejects.toBeInstanceOf(ApiUnreachableError);
    await expect(nowhere.readiness()).rejects.toBeInstanceOf(ApiUnreachableError);
    await expect(nowhere.events().next()).rejects.toBeInstanceOf(ApiUnreachableError);
  });

  it('does what an operator does', async () => {
    expect((await client.readiness()).status).toBe('ready');
    await client.registerDevices(PRODUCT, [{ deviceName: 'lamp-8' }], { idempotencyKey: 'k1' });
    await client.registerDevicesCsv(PRODUCT, 'deviceName\nlamp-9\n');
    const devices = [];
    for await (const device of eachItem((page) => client.listDevices(PRODUCT, page))) devices.push(device.deviceName);
    expect(devices).toEqual(['lamp-1', 'lamp-2', 'lamp-3', 'lamp-8', 'lamp-9']);

    const firmwareId = await world.verifiedFirmware();
    expect(await client.getFirmware(firmwareId)).toMatchObject({ status: 'verified' });
    expect((await client.listFirmware({ productKey: PRODUCT })).quota.used).toBe(1);
    const task = await client.createBatchUpdate(firmwareId, { sourceVersions: ['1.0.0'] });
    expect(await client.getTask(task.id)).toMatchObject({ counts: { total: 3 } });
    expect((await client.listTasks({ kind: 'batch' })).items).toHaveLength(1);
    expect((await client.listDeviceUpdates(task.id, { status: 'pending' })).items).toHaveLength(3);
    let csv = '';
    for await (const piece of client.deviceUpdatesCsv(task.id)) csv += piece;
    expect(csv.trimEnd().split('\n')).toHaveLength(4);
    expect((await client.cancelDeviceUpdate(task.id, 'lamp-1')).cancelRequestedAt).not.toBeNull();
    expect((await client.cancelTask(task.id)).cancelRequestedAt).not.toBeNull();
    await world.records.taskEnded(task.id, 'cancelled', Date.now());
    await expect(client.reinitiate(task.id)).rejects.toMatchObject({ code: 'nothing-to-reinitiate' });
    expect(await client.getDevice(PRODUCT, 'lamp-1')).toMatchObject({ history: { items: [{}, {}] } });
    expect((await client.listDeviceHistory(PRODUCT, 'lamp-1')).items).toHaveLength(2);
    expect((await client.deleteFirmware(firmwareId)).deletedAt).not.toBeNull();
  });
});
