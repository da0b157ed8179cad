import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState } from '../../../domain/device-update.js';
import type { Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, updatesOf, type Ground } from './ground.js';

/** Products and devices that are renamed, and those that leave the service. */
export function describeLeavingService(ground: () => Ground): void {
  describe('renaming and deleting', () => {
    let records: Records;
    let build: Builder;
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b']);
      await build.runs('a', '1.0.0');
    });
    const key = (deviceName: string) => ({ productKey: build.productKey, deviceName });
    const listed = async () =>
      (await allPages((page) => records.listDevices(build.productKey, {}, page))).map(({ deviceName }) => deviceName);

    it('gives a product another name', async () => {
      expect(await records.changeProduct(build.productKey, { name: 'Lantern' })).toMatchObject({ name: 'Lantern' });
      expect(await records.getProduct(build.productKey)).toMatchObject({ name: 'Lantern' });
      await expect(records.changeProduct('nobody', { name: 'x' })).rejects.toMatchObject({ code: 'not-found' });
    });

    it('gives a device another name, with the secret and the versions that it has', async () => {
      const renamed = await records.renameDevice(key('a'), 'c');
      expect(renamed).toMatchObject({ deviceName: 'c', version: '1.0.0', online: false });
      expect(await records.deviceSecret(key('c'))).toBe('secret-of-a');
      expect(await records.deviceSecret(key('a'))).toBeUndefined();
      expect(await listed()).toEqual(['b', 'c']);
      expect((await records.countVersions(build.productKey, 'default', { limit: 10 })).items).toContainEqual({
        version: '1.0.0',
        devices: 1,
      });
    });

    it('gives no device a name that is taken, and no unknown device a name', async () => {
      await expect(records.renameDevice(key('a'), 'b')).rejects.toMatchObject({ code: 'device-exists' });
      await expect(records.renameDevice(key('x'), 'y')).rejects.toMatchObject({ code: 'not-found' });
    });

    it('deletes a device with its secret and versions; a new one of that name starts anew', async () => {
      await records.deviceConnected(key('a'), 'c', 2);
      expect(await records.deleteDevice(key('a'))).toMatchObject({ deviceName: 'a', version: '1.0.0' });
      expect(await records.getDevice(key('a'))).toBeUndefined();
      expect(await records.deviceSecret(key('a'))).toBeUndefined();
      expect(await records.countDevices()).toEqual([{ productKey: build.productKey, online: 0, offline: 1 }]);
      expect((await records.countVersions(build.productKey, 'default', { limit: 10 })).items).toEqual([
        { version: null, devices: 1 },
      ]);
      await build.devices(['a']);
      expect(await records.getDevice(key('a'))).toMatchObject({ version: null, online: false });
      await expect(records.deleteDevice(key('x'))).rejects.toMatchObject({ code: 'not-found' });
    });

    it('leaves a device alone that an open task is to update, begun or not, and keeps its records after that', async () => {
      const task = await build.verification(await build.firmware('2.0.0'), ['a', 'b']);
      for (const refused of [
        () => records.deleteDevice(key('a')),
        () => records.renameDevice(key('a'), 'c'),
        async () => {
          await records.recordDeviceUpdate(task.id, key('a'), initialState(1), 'run');
          return records.deleteDevice(key('a'));
        },
      ]) {
        await expect(refused()).rejects.toMatchObject({ code: 'device-in-use', extra: { taskId: task.id } });
      }
      for (const name of ['a', 'b']) {
        await records.recordDeviceUpdate(task.id, key(name), failed(initialState(1), 'stalled', 5), 'run');
      }
      await records.taskEnded(task.id, 'completed', 6);
      await records.deleteDevice(key('a'));
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ outcome: 'failed' });
      const again = { id: 'again', reinitiates: task.id, createdAtMs: 7 };
      await expect(records.reinitiateTask({ ...again, deviceNames: ['a'] })).rejects.toMatchObject({
        code: 'devices-invalid',
        extra: { devices: [{ deviceName: 'a', problem: 'was deleted' }] },
      });
      const { value } = await records.reinitiateTask({ ...again, deviceNames: null });
      expect((await updatesOf(records, value)).map(({ deviceName }) => deviceName)).toEqual(['b']);
    });

    it('deletes no product that has devices, firmware or tokens, and names them', async () => {
      const id = await build.firmware('2.0.0');
      const token = {
        id: build.id('token'),
        name: build.id('ci'),
        role: 'viewer',
        productKey: build.productKey,
      } as const;
      await records.addToken({ ...token, hash: build.id('h'), createdBy: 'x', createdAtMs: 1, expiresAtMs: null });
      const refusal = await records.deleteProduct(build.productKey, 9).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: 'product-in-use' });
      for (const word of ['2 device(s)', '1 firmware', '1 token(s)']) expect(String(refusal)).toContain(word);
      await records.deleteDevice(key('a'));
      await records.deleteDevice(key('b'));
      await records.deleteFirmware(id, 5);
      await records.revokeToken(token.id, 5);
      expect(await records.deleteProduct(build.productKey, 9)).toMatchObject({ productKey: build.productKey });
    });

    it('hides a deleted product, keeps what the records say of it, and keeps its key taken', async () => {
      const id = await build.firmware('2.0.0');
      await records.deleteFirmware(id, 5);
      await records.deleteDevice(key('a'));
      await records.deleteDevice(key('b'));
      await records.deleteProduct(build.productKey, 9);
      expect(await records.getProduct(build.productKey)).toBeUndefined();
      expect((await allPages((page) => records.listProducts(page))).map(({ productKey }) => productKey)).not.toContain(
        build.productKey,
      );
      expect(await records.getFirmware(id)).toMatchObject({ productKey: build.productKey });
      await expect(build.product()).rejects.toMatchObject({ code: 'product-exists' });
      await expect(build.devices(['x'])).rejects.toMatchObject({ code: 'not-found' });
      await expect(build.firmware('3.0.0')).rejects.toMatchObject({ code: 'not-found' });
      await expect(records.deleteProduct(build.productKey, 9)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('frees the key of a product that no record names', async () => {
      await records.deleteDevice(key('a'));
      await records.deleteDevice(key('b'));
      await records.deleteProduct(build.productKey, 9);
      await build.product();
      expect(await records.getProduct(build.productKey)).toMatchObject({ name: 'Lamp' });
    });
  });
}
