import { beforeEach, describe, expect, it } from 'vitest';
import type { Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, type Ground } from './ground.js';

export function describeDevices(ground: () => Ground): void {
  describe('products and devices', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    it('register all devices of a request or none, naming those that exist', async () => {
      await build.devices(['a', 'b']);
      await expect(build.devices(['c', 'b', 'a'])).rejects.toMatchObject({
        code: 'device-exists',
        extra: { deviceNames: ['b', 'a'] },
      });
      expect(await records.getDevice({ productKey: build.productKey, deviceName: 'c' })).toBeUndefined();
    });

    it('refuse a product key that exists, and devices of a product that does not', async () => {
      const product = { productKey: build.productKey, name: 'x', createdAtMs: 1 };
      await expect(records.createProduct(product)).rejects.toMatchObject({ code: 'product-exists' });
      await expect(records.registerDevices('nobody', [], 1)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('answer a repeated registration with the secrets of the first', async () => {
      const key = { key: 'k1', fingerprint: 'f1' };
      const device = { deviceName: 'a', deviceSecret: 'first-secret', protocol: 'mqtt' as const };
      await records.registerDevices(build.productKey, [device], 1, key);
      const other = { ...device, deviceSecret: 'second-secret' };
      expect(await records.registerDevices(build.productKey, [other], 2, key)).toEqual({
        value: [device],
        replayed: true,
      });
      await expect(
        records.registerDevices(build.productKey, [device], 2, { ...key, fingerprint: 'f2' }),
      ).rejects.toMatchObject({ code: 'idempotency-key-reused' });
    });

    it('never answer the secrets of an older registration when a forgotten key is used again', async () => {
      const key = { key: 'k1', fingerprint: 'f1' };
      const device = (deviceName: string) => ({
        deviceName,
        deviceSecret: `secret-of-${deviceName}`,
        protocol: 'mqtt' as const,
      });
      await records.registerDevices(build.productKey, [device('a')], 1, key);
      await records.forgetIdempotencyKeys(10);
      await records.registerDevices(build.productKey, [device('b')], 20, key);
      expect(await records.registerDevices(build.productKey, [device('b')], 30, key)).toEqual({
        value: [device('b')],
        replayed: true,
      });
    });

    it('say that a device of a repeated registration may have been deleted', async () => {
      const key = { key: 'k1', fingerprint: 'f1' };
      const device = { deviceName: 'a', deviceSecret: 'secret-of-a', protocol: 'mqtt' as const };
      await records.registerDevices(build.productKey, [device], 1, key);
      await records.deleteDevice({ productKey: build.productKey, deviceName: 'a' });
      await expect(records.registerDevices(build.productKey, [device], 2, key)).rejects.toMatchObject({
        code: 'registration-changed',
        message: expect.stringMatching(/or were deleted.*register deleted ones in a new request/) as string,
      });
    });

    it('never answer a product for the creation of a deleted one that had its key', async () => {
      const idempotency = { key: 'k1', fingerprint: 'f1' };
      const first = { productKey: 'kettles', name: 'first', createdAtMs: 1 };
      await records.createProduct(first, idempotency);
      await records.deleteProduct('kettles', 2);
      await records.createProduct({ ...first, name: 'second' });
      await expect(records.createProduct(first, idempotency)).rejects.toMatchObject({ code: 'product-exists' });
    });

    it('keep a device online when an older connection of it ends', async () => {
      await build.devices(['a']);
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.deviceConnected(key, 'first', 1);
      await records.deviceConnected(key, 'second', 2);
      await records.deviceDisconnected(key, 'first', 3);
      expect(await records.getDevice(key)).toMatchObject({ online: true, lastSeenAtMs: 2 });
      await records.deviceDisconnected(key, 'second', 4);
      expect(await records.getDevice(key)).toMatchObject({ online: false, lastSeenAtMs: 4 });
    });

    it('keep the version of each module, and list by version, presence and part of the name', async () => {
      await build.devices(['lamp-1', 'lamp-2', 'pump-1']);
      await build.runs('lamp-1', '1.0.0');
      await build.runs('lamp-1', '7', 'mcu');
      await build.runs('lamp-2', '1.1.0');
      await records.deviceConnected({ productKey: build.productKey, deviceName: 'lamp-2' }, 'c', 1);
      const names = async (filter: Parameters<Records['listDevices']>[1]) =>
        (await allPages((page) => records.listDevices(build.productKey, filter, page), 1)).map(
          ({ deviceName }) => deviceName,
        );
      expect(await names({})).toEqual(['lamp-1', 'lamp-2', 'pump-1']);
      expect(await names({ version: '1.0.0' })).toEqual(['lamp-1']);
      expect(await names({ version: '7', module: 'mcu' })).toEqual(['lamp-1']);
      expect(await names({ online: true })).toEqual(['lamp-2']);
      expect(await names({ online: false, search: 'pump' })).toEqual(['pump-1']);
      expect(await records.getDevice({ productKey: build.productKey, deviceName: 'lamp-1' })).toMatchObject({
        version: '1.0.0',
        modules: expect.arrayContaining([expect.objectContaining({ module: 'mcu', version: '7' })]) as unknown,
      });
    });

    it('have at most 64 modules: a device must not fill the records with names', async () => {
      await build.devices(['a']);
      const key = { productKey: build.productKey, deviceName: 'a' };
      const report = (module: string, version: string) => records.versionReported(key, { module, version, atMs: 1 });
      for (let n = 1; n <= 64; n++) expect(await report(`module-${n}`, '1')).toBeUndefined();
      expect(await report('module-65', '1')).toBe('too-many-modules');
      await report('module-64', '2');
      const { modules } = (await records.getDevice(key)) ?? {};
      expect(modules).toHaveLength(64);
      expect(modules?.find(({ module }) => module === 'module-64')).toMatchObject({ version: '2' });
    });

    it('take the newest version report of a module for the one that the device runs', async () => {
      await build.devices(['a']);
      await build.runs('a', '1.0.0');
      await records.versionReported(
        { productKey: build.productKey, deviceName: 'a' },
        { module: 'default', version: '1.1.0', atMs: 7 },
      );
      expect(await records.getDevice({ productKey: build.productKey, deviceName: 'a' })).toMatchObject({
        version: '1.1.0',
        modules: [{ module: 'default', version: '1.1.0', reportedAtMs: 7 }],
        lastSeenAtMs: 7,
      });
      const onOld = await records.listDevices(build.productKey, { version: '1.0.0' }, { limit: 1 });
      expect(onOld.items).toEqual([]);
    });

    it('change nothing at a version report that repeats the last one, but for when the device was seen', async () => {
      await build.devices(['a']);
      const key = { productKey: build.productKey, deviceName: 'a' };
      const report = (version: string, atMs: number) =>
        records.versionReported(key, { module: 'default', version, atMs });
      await report('1.0.0', 7);
      await report('1.0.0', 60_006);
      const since = { modules: [{ module: 'default', version: '1.0.0', reportedAtMs: 7 }] };
      expect(await records.getDevice(key)).toMatchObject({ ...since, lastSeenAtMs: 7 });
      await report('1.0.0', 60_007);
      expect(await records.getDevice(key)).toMatchObject({ ...since, lastSeenAtMs: 60_007 });
      await report('1.0.1', 60_008);
      await report('1.0.0', 60_009);
      expect(await records.getDevice(key)).toMatchObject({
        modules: [{ module: 'default', version: '1.0.0', reportedAtMs: 60_009 }],
        lastSeenAtMs: 60_009,
      });
    });

    it('know nothing of a stranger’s version report', async () => {
      const stranger = { productKey: build.productKey, deviceName: 'stranger' };
      expect(await records.versionReported(stranger, { module: 'default', version: '1', atMs: 1 })).toBeUndefined();
      expect(await records.getDevice(stranger)).toBeUndefined();
    });
  });
}
