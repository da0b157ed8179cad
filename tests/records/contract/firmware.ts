import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified } from '../../../domain/device-update.js';
import type { FerryError } from '../../../domain/errors.js';
import type { Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { type Ground } from './ground.js';

export function describeFirmware(ground: () => Ground): void {
  describe('firmware', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    it('takes exactly 100 of 150 simultaneous ones, deleted ones counted [seed: add]', async () => {
      const first = await build.firmware('0.0.1');
      await records.deleteFirmware(first, 1);
      const added = await Promise.allSettled(Array.from({ length: 150 }, (_, i) => build.firmware(`1.0.${i}`, 100)));
      const codes = added.map((result) =>
        result.status === 'rejected' ? (result.reason as FerryError).code : 'added',
      );
      expect(codes.filter((code) => code === 'added')).toHaveLength(99);
      expect(new Set(codes)).toEqual(new Set(['added', 'firmware-quota-exceeded']));
      expect(await records.countFirmware()).toBe(100);
    });

    it('has a version once per product and module; a deleted one gives it free', async () => {
      const first = await build.firmware('2.0.0');
      await expect(build.firmware('2.0.0')).rejects.toMatchObject({ code: 'firmware-version-exists' });
      await records.deleteFirmware(first, 5);
      await expect(build.firmware('2.0.0')).resolves.not.toBe(first);
      expect(await records.getFirmware(first)).toMatchObject({ deletedAtMs: 5 });
      expect((await records.listFirmware({}, { limit: 10 })).items.map(({ id }) => id)).not.toContain(first);
    });

    it('is not deleted while an open task uses it', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const task = await build.verification(id, ['a']);
      await expect(records.deleteFirmware(id, 5)).rejects.toMatchObject({
        code: 'firmware-in-use',
        extra: { taskIds: [task.id] },
      });
      await records.taskEnded(task.id, 'cancelled', 6);
      await expect(records.deleteFirmware(id, 7)).resolves.toMatchObject({ deletedAtMs: 7 });
    });

    it('goes unverified, verifying, verified, and stays so [seed: validate]', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const status = async () => (await records.getFirmware(id))?.status;
      expect(await status()).toBe('unverified');
      const cancelledOne = await build.verification(id, ['a']);
      expect(await status()).toBe('verifying');
      await records.taskEnded(cancelledOne.id, 'cancelled', 2);
      expect(await status()).toBe('unverified');
      const reached = await build.verification(id, ['a']);
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.recordDeviceUpdate(reached.id, key, failed(notified(initialState(2), 2), 'stalled', 3), 'run');
      await records.taskEnded(reached.id, 'completed', 3);
      expect(await status()).toBe('verified');
      await records.taskEnded((await build.verification(id, ['a'])).id, 'cancelled', 4);
      expect(await records.getFirmware(id)).toMatchObject({ status: 'verified', verifiedAtMs: 3 });
    });
  });
}
