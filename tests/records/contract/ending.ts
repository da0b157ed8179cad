import { beforeEach, describe, expect, it } from 'vitest';
import {
  cancelled,
  failed,
  initialState,
  notified,
  succeeded,
  type DeviceUpdateState,
} from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { updatesOf, type Ground } from './ground.js';

export function describeEnding(ground: () => Ground): void {
  describe('ending and re-initiating', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    let task: TaskRecord;
    const end = async (deviceName: string, state: DeviceUpdateState) =>
      records.recordDeviceUpdate(task.id, { productKey: build.productKey, deviceName }, state, 'run');
    beforeEach(async () => {
      const names = ['a', 'b', 'c', 'd'];
      await build.devices(names);
      for (const name of names) await build.runs(name, '1.0.0');
      task = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
      await end('a', succeeded(initialState(1), 2));
      await end('b', failed(initialState(1), 'download-failed', 2));
      await end('c', failed(initialState(1), 'stalled', 2));
    });
    const again = (deviceNames: readonly string[] | null, of = task.id) =>
      records.reinitiateTask({ id: build.id('again'), reinitiates: of, deviceNames, createdAtMs: 50 });

    it('cancels what never began and leaves begun ones to their runs; the first end stays', async () => {
      const ended = await records.taskEnded(task.id, 'completed', 7);
      expect(ended).toMatchObject({
        status: 'completed',
        endedAtMs: 7,
        counts: { cancelled: 1, pending: 0, failed: 2 },
      });
      expect(await records.taskEnded(task.id, 'cancelled', 9)).toMatchObject({ status: 'completed', endedAtMs: 7 });
      expect(await records.getDeviceUpdate(task.id, 'd')).toMatchObject({ status: 'cancelled' });
    });

    it('leaves what has begun to its run, which still records and counts its outcome', async () => {
      await end('d', initialState(1));
      await records.taskEnded(task.id, 'cancelled', 7);
      expect(await records.getDeviceUpdate(task.id, 'd')).toMatchObject({ status: 'pending', endedAtMs: null });
      await end('d', cancelled(notified(initialState(1), 2), 8, 'by hand'));
      expect(await records.getDeviceUpdate(task.id, 'd')).toMatchObject({ status: 'cancelled', detail: 'by hand' });
      expect((await records.getTask(task.id))?.counts).toMatchObject({ pending: 0, cancelled: 1, total: 4 });
    });

    it('re-initiates all failed devices, linked, with the attempt counted on, old records as they were', async () => {
      await records.taskEnded(task.id, 'completed', 7);
      const before = await updatesOf(records, task);
      const { value: second } = await again(null);
      expect(second).toMatchObject({
        reinitiates: task.id,
        kind: 'batch',
        sourceVersions: ['1.0.0'],
        counts: { total: 2 },
      });
      expect((await updatesOf(records, second)).map(({ deviceName, attempt }) => [deviceName, attempt])).toEqual([['b', 2], ['c', 2]]); // prettier-ignore
      expect(await updatesOf(records, task)).toEqual(before);

      task = second;
      await end('c', failed(initialState(60), 'stalled', 61));
      await records.taskEnded(second.id, 'completed', 62);
      const { value: third } = await again(['c'], second.id);
      expect(await updatesOf(records, third)).toMatchObject([{ deviceName: 'c', attempt: 3 }]);
    });

    it('refuses an open task, devices that have not failed, and one without failures', async () => {
      await expect(again(null)).rejects.toMatchObject({ code: 'task-not-ended' });
      await records.taskEnded(task.id, 'completed', 7);
      await expect(again(['a', 'b', 'b'])).rejects.toMatchObject({
        code: 'devices-invalid',
        extra: { devices: [{ deviceName: 'a' }, { deviceName: 'b', problem: 'is listed twice' }] },
      });
      const { value: second } = await again(null);
      await records.taskEnded(second.id, 'cancelled', 70);
      await expect(again(null, second.id)).rejects.toMatchObject({ code: 'nothing-to-reinitiate' });
    });

    it('re-initiates no revoked device, and says so when it is named', async () => {
      await records.taskEnded(task.id, 'completed', 7);
      await records.revokeDevice({ productKey: build.productKey, deviceName: 'b' }, 8);
      await expect(again(['b'])).rejects.toMatchObject({
        code: 'devices-invalid',
        extra: { devices: [{ deviceName: 'b', problem: 'is revoked; restore it first' }] },
      });
      const { value: second } = await again(null);
      expect((await updatesOf(records, second)).map(({ deviceName }) => deviceName)).toEqual(['c']);
      await records.taskEnded(second.id, 'cancelled', 9);

      await records.revokeDevice({ productKey: build.productKey, deviceName: 'c' }, 10);
      await expect(again(null)).rejects.toMatchObject({ code: 'nothing-to-reinitiate' });
    });

    it('takes its claims again, and so can conflict', async () => {
      await records.taskEnded(task.id, 'completed', 7);
      const other = await build.batch(await build.verified('3.0.0'), ['1.0.0']);
      await expect(again(null)).rejects.toMatchObject({ extra: { conflicts: [{ taskId: other.id }] } });
      await records.taskEnded(other.id, 'cancelled', 8);
      const { value: second } = await again(null);
      const third = await build.verified('4.0.0');
      await expect(build.batch(third, ['1.0.0'])).rejects.toMatchObject({
        extra: { conflicts: [{ taskId: second.id }] },
      });
      await records.taskEnded(second.id, 'completed', 9);
      await expect(build.batch(third, ['1.0.0'])).resolves.toBeDefined();
    });

    it('answers a repeated re-initiation with the task of the first', async () => {
      await records.taskEnded(task.id, 'completed', 7);
      const input = {
        reinitiates: task.id,
        deviceNames: null,
        createdAtMs: 50,
        idempotency: { key: 'k', fingerprint: 'f' },
      };
      const first = await records.reinitiateTask({ id: build.id('again'), ...input });
      const repeated = await records.reinitiateTask({ id: build.id('again'), ...input });
      expect(repeated).toEqual({ value: first.value, replayed: true });
    });
  });
}
