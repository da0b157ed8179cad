import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified, succeeded } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import type { Ground } from './ground.js';

/** How a firmware came to be verified, and what a product asks of that. */
export function describeVerificationResults(ground: () => Ground): void {
  describe('a firmware’s last verification', () => {
    let records: Records;
    let build: Builder;
    let firmwareId: string;
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b', 'c']);
      for (const name of ['a', 'b', 'c']) await build.runs(name, '1.0.0');
      firmwareId = await build.firmware('2.0.0');
    });

    const end = (task: TaskRecord, deviceName: string, isGood: boolean, atMs = 4) => {
      const begun = notified(initialState(2), 3);
      const state = isGood ? succeeded(begun, atMs) : failed(begun, 'update-failed', atMs);
      return records.recordDeviceUpdate(task.id, { productKey: build.productKey, deviceName }, state, 'run');
    };
    /** A verification in which these devices succeed and those fail. */
    async function verified(good: readonly string[], bad: readonly string[], endedAtMs: number): Promise<TaskRecord> {
      const task = await build.verification(firmwareId, [...good, ...bad]);
      for (const name of good) await end(task, name, true);
      for (const name of bad) await end(task, name, false);
      return records.taskEnded(task.id, 'completed', endedAtMs);
    }
    const firmware = () => records.getFirmware(firmwareId);

    it('is told with what came out of it, also when no device survived it', async () => {
      expect(await firmware()).toMatchObject({ lastVerification: null, verificationSuccesses: 0 });
      const task = await verified([], ['a', 'b'], 10);
      const lastVerification = {
        ...{ taskId: task.id, status: 'completed', endedAtMs: 10 },
        ...{ succeeded: 0, failed: 2, cancelled: 0, total: 2 },
      };
      expect(await firmware()).toMatchObject({ status: 'verified', lastVerification, verificationSuccesses: 0 });
      const { items } = await records.listFirmware({ productKey: build.productKey }, { limit: 5 });
      expect(items).toMatchObject([{ lastVerification }]);
    });

    it('is the newest that has completed: a cancelled one verifies nothing', async () => {
      await verified(['a'], ['b'], 10);
      const second = await verified(['b'], [], 20);
      const third = await build.verification(firmwareId, ['c']);
      await end(third, 'c', false);
      await records.taskEnded(third.id, 'cancelled', 30);
      expect((await firmware())?.lastVerification).toMatchObject({ taskId: second.id, succeeded: 1, total: 1 });
    });

    it('counts different devices that have succeeded over all verifications', async () => {
      await verified(['a', 'b'], ['c'], 10);
      await verified(['b', 'c'], [], 20);
      expect(await firmware()).toMatchObject({ verificationSuccesses: 3 });
    });

    it('counts a device update that ends after its task', async () => {
      const task = await build.verification(firmwareId, ['a']);
      await records.recordDeviceUpdate(
        task.id,
        { productKey: build.productKey, deviceName: 'a' },
        notified(initialState(2), 3),
        'run',
      );
      await records.taskEnded(task.id, 'completed', 10);
      expect((await firmware())?.lastVerification).toMatchObject({ failed: 0 });
      await end(task, 'a', false, 11);
      expect((await firmware())?.lastVerification).toMatchObject({ failed: 1 });
    });

    it('outlives the task, which may be forgotten', async () => {
      const task = await verified(['a'], ['b'], 10);
      await records.forgetTasks({ endedBeforeMs: 1_000, atMs: 1_000, rowsMax: 100 });
      expect(await records.getTask(task.id)).toBeUndefined();
      const lastVerification = { taskId: task.id, succeeded: 1, failed: 1, total: 2 };
      expect(await firmware()).toMatchObject({ lastVerification, verificationSuccesses: 1 });
      await verified(['b'], [], 20);
      expect((await firmware())?.verificationSuccesses).toBeGreaterThanOrEqual(1);
    });

    it('of a product that asks for successes keeps a batch back until there are as many', async () => {
      const changed = await records.changeProduct(build.productKey, { verificationSuccessesMin: 2 });
      expect(changed).toMatchObject({ name: 'Lamp', verificationSuccessesMin: 2 });
      await verified(['a'], ['b'], 10);
      const refusal = { code: 'firmware-not-proven', extra: { succeeded: 1, needed: 2 } };
      await expect(build.batch(firmwareId, ['1.0.0'])).rejects.toMatchObject(refusal);
      const asked = { firmwareId, sourceVersions: ['1.0.0'], deviceNames: null };
      const preview = await records.previewBatch({ ...asked, policy: build.newBatch(firmwareId, ['1.0.0']).policy });
      expect(preview.refusal).toMatchObject(refusal);
      await verified(['b'], [], 20);
      await expect(build.batch(firmwareId, ['1.0.0'])).resolves.toMatchObject({ kind: 'batch' });
    });
  });
}
