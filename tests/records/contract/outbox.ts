import { beforeEach, describe, expect, it } from 'vitest';
import { initialState, notified } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { type Ground } from './ground.js';

export function describeOutbox(ground: () => Ground): void {
  describe('the outbox', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    let task: TaskRecord;
    beforeEach(async () => {
      await build.devices(['a']);
      task = await build.verification(await build.firmware('2.0.0'), ['a']);
    });

    const reach = async () => {
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.recordDeviceUpdate(task.id, key, notified(initialState(2), 2), 'run');
    };

    it('holds a start until it is delivered or has shown itself', async () => {
      expect(await records.undeliveredTasks(10)).toMatchObject([{ task: { id: task.id }, start: true, cancel: false }]);
      await records.delivered(task.id, 'start');
      expect(await records.undeliveredTasks(10)).toEqual([]);
    });

    it('holds a cancel and an end until they are delivered, or the task has ended', async () => {
      await records.taskBegun(task.id, 'run', 2);
      await reach();
      await records.requestVerificationEnd(task.id, 3);
      expect(await records.undeliveredTask(task.id)).toMatchObject({ start: false, end: true, cancel: false });
      await records.delivered(task.id, 'end');
      expect(await records.undeliveredTask(task.id)).toBeUndefined();

      const second = await build.verification(task.firmware.id, ['a']);
      await records.requestTaskCancel(second.id, 4);
      expect(await records.undeliveredTask(second.id)).toMatchObject({ start: true, cancel: true });
      await records.taskEnded(second.id, 'cancelled', 5);
      expect(await records.undeliveredTask(second.id)).toBeUndefined();
    });

    it('refuses requests that come too late or do not fit', async () => {
      await build.runs('a', '1.0.0');
      const batch = await build.batch(await build.verified('3.0.0'), ['1.0.0']);
      await expect(records.requestVerificationEnd(batch.id, 1)).rejects.toMatchObject({ code: 'not-a-verification' });
      await records.taskEnded(task.id, 'completed', 2);
      await expect(records.requestTaskCancel(task.id, 3)).rejects.toMatchObject({ code: 'task-not-open' });
      await expect(records.requestDeviceCancel(task.id, 'a', 3)).rejects.toMatchObject({
        code: 'device-update-ended',
      });
      await expect(records.requestTaskCancel('nobody', 3)).rejects.toMatchObject({ code: 'not-found' });
    });

    it('refuses to cancel what is being ended, and to end what is being cancelled, whose firmware would be verified', async () => {
      await reach();
      await records.requestVerificationEnd(task.id, 3);
      await expect(records.requestTaskCancel(task.id, 4)).rejects.toMatchObject({
        code: 'task-not-open',
        message: expect.stringContaining('being ended') as unknown,
      });
      expect(await records.requestVerificationEnd(task.id, 5)).toMatchObject({ endRequestedAtMs: 3 });

      const second = await build.verification(task.firmware.id, ['a']);
      await records.requestTaskCancel(second.id, 6);
      await expect(records.requestVerificationEnd(second.id, 7)).rejects.toMatchObject({
        code: 'task-not-open',
        message: expect.stringContaining('being cancelled') as unknown,
      });
      expect(await records.requestTaskCancel(second.id, 8)).toMatchObject({ cancelRequestedAtMs: 6 });
    });

    it('holds the cancel of a device update that has begun', async () => {
      const { id } = await records.requestDeviceCancel(task.id, 'a', 3);
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toEqual([]);
      await records.recordDeviceUpdate(
        task.id,
        { productKey: build.productKey, deviceName: 'a' },
        initialState(4),
        'run',
      );
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toMatchObject([{ id, runId: 'run' }]);
      await records.deviceCancelDelivered(id);
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toEqual([]);
    });

    it('leaves room for the device cancels of other tasks, however many one has', async () => {
      const [many, other] = [await begunVerification(['b', 'c', 'd']), await begunVerification(['e'])];
      for (const deviceName of ['b', 'c', 'd']) await records.requestDeviceCancel(many.id, deviceName, 3);
      await records.requestDeviceCancel(other.id, 'e', 3);
      expect(await records.undeliveredDeviceCancels(other.id, 1)).toMatchObject([{ deviceName: 'e' }]);
      expect(await records.undeliveredDeviceCancels(many.id, 2)).toHaveLength(2);
      expect([...(await records.tasksWithUndeliveredDeviceCancels(2))].sort()).toEqual([many.id, other.id].sort());
    });

    it('holds no cancel of a device update that never got a run, before its end or after it', async () => {
      await records.requestDeviceCancel(task.id, 'a', 3);
      expect(await records.tasksWithUndeliveredDeviceCancels(10)).toEqual([]);
      await records.cancelWaiting(task.id, { which: 'unbegun', fromOrdinal: 0, toOrdinal: 1, atMs: 4 });
      await records.taskEnded(task.id, 'completed', 4);
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ status: 'cancelled', runId: null });
      expect(await records.tasksWithUndeliveredDeviceCancels(10)).toEqual([]);
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toEqual([]);
    });

    async function begunVerification(deviceNames: readonly string[]): Promise<TaskRecord> {
      await build.devices(deviceNames);
      const begun = await build.verification(task.firmware.id, deviceNames);
      for (const deviceName of deviceNames) {
        const key = { productKey: build.productKey, deviceName };
        await records.recordDeviceUpdate(begun.id, key, initialState(2), `run of ${deviceName}`);
      }
      return begun;
    }
  });
}
