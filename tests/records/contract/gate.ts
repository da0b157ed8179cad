import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified, succeeded } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { updatesOf, type Ground } from './ground.js';

export function describeGate(ground: () => Ground): void {
  describe('stopping a task', () => {
    let records: Records;
    let build: Builder;
    let firmwareId: string;
    let task: TaskRecord;
    const key = (deviceName: string) => ({ productKey: build.productKey, deviceName });
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b', 'c', 'd']);
      for (const name of ['a', 'b', 'c', 'd']) await build.runs(name, '1.0.0');
      firmwareId = await build.verified('2.0.0');
      task = await build.batch(firmwareId, ['1.0.0']);
      await records.taskBegun(task.id, 'task-run', 1);
    });
    const repaired = async () => build.batch(await build.verified('2.0.1'), ['1.0.0']);

    it('decides in the transaction that records a sending', async () => {
      const state = notified(initialState(1), 2);
      expect(await records.giveOut(task.id, key('a'), state, 'run')).toEqual({ kind: 'given' });
      const [, offer] = await Promise.all([
        records.requestTaskCancel(task.id, 3),
        records.giveOut(task.id, key('b'), state, 'run'),
      ]);
      expect(offer).toEqual({ kind: 'cancelled' });
      expect(await records.getDeviceUpdate(task.id, 'b')).toMatchObject({ status: 'pending', notifiedAtMs: null });
    });

    it('frees its source versions with the accepted cancellation, and nobody takes that back', async () => {
      await expect(repaired()).rejects.toMatchObject({ code: 'update-task-conflict' });
      await records.requestTaskCancel(task.id, 3);
      const next = await build.batch(await build.verified('2.0.2'), ['1.0.0']);
      expect(await records.bookkeepingFaults()).toEqual([]);
      const fault = { kind: 'claim-missing', taskId: task.id, sourceVersion: '1.0.0', heldBy: next.id } as const;
      expect(await records.repairBookkeeping(fault, 4)).toBe(false);
      await records.taskEnded(task.id, 'cancelled', 5);
      await expect(build.batch(await build.verified('2.0.3'), ['1.0.0'])).rejects.toMatchObject({
        extra: { conflicts: [{ taskId: next.id }] },
      });
    });

    it('frees them with the rejection of a second operator', async () => {
      await records.taskEnded(task.id, 'cancelled', 3);
      const large = { ...build.newBatch(firmwareId, ['1.0.0']), startedBy: 'Ada', approvalAbove: 0 };
      await records.createTask(large);
      await records.decideTask(large.id, { decision: 'rejected', by: 'Bob', remark: '', atMs: 4 });
      await expect(repaired()).resolves.toMatchObject({ sourceVersions: ['1.0.0'] });
    });

    it('cancels at once what no device was told of, piece by piece, and leaves the others to their runs', async () => {
      const state = notified(initialState(1), 2);
      await records.giveOut(task.id, key('a'), state, 'run-a');
      await records.recordDeviceUpdate(task.id, key('b'), initialState(1), 'run-b');
      const piece = { which: 'untold', fromOrdinal: 0, toOrdinal: 3, atMs: 4 } as const;
      expect(await records.cancelWaiting(task.id, piece)).toBe(0);
      await records.requestTaskCancel(task.id, 3);
      expect(await records.cancelWaiting(task.id, piece)).toBe(2);
      expect(await records.cancelWaiting(task.id, { ...piece, fromOrdinal: 3, toOrdinal: 9 })).toBe(1);
      expect((await updatesOf(records, task)).map(({ status }) => status)).toEqual(['notified', 'cancelled', 'cancelled', 'cancelled']); // prettier-ignore
      expect((await records.getTask(task.id))?.counts).toMatchObject({ notified: 1, cancelled: 3, pending: 0 });
      expect(await records.untoldRuns(task.id, 0, 9)).toEqual([{ deviceName: 'b', runId: 'run-b' }]);
      expect(await records.bookkeepingFaults()).toEqual([]);
    });

    it('takes back the notification that was not sent, and no other', async () => {
      const before = initialState(1);
      const takeBack = (notifiedAtMs: number) =>
        records.takeBack(task.id, key('a'), { state: before, runId: 'run', notifiedAtMs });
      await records.giveOut(task.id, key('a'), notified(before, 7), 'run');
      expect(await takeBack(6)).toMatchObject({ status: 'notified', notifiedAtMs: 7, notifications: 1 });
      expect(await takeBack(7)).toMatchObject({ status: 'pending', notifiedAtMs: null, notifications: 0 });
      await records.giveOut(task.id, key('a'), notified(before, 8), 'run');
      await records.progressReported(key('a'), { module: null, step: 3, atMs: 9 });
      expect(await takeBack(8)).toMatchObject({ status: 'upgrading', notifiedAtMs: 8, notifications: 1 });
      await records.recordDeviceUpdate(task.id, key('a'), succeeded(notified(before, 8), 10), 'run');
      expect(await takeBack(8)).toMatchObject({ status: 'completed', notifications: 1 });
    });

    it('ends what never began, and leaves what has begun meanwhile', async () => {
      const end = failed(initialState(1), 'update-failed', 5, 'Its shard broke.');
      await records.giveOut(task.id, key('a'), notified(initialState(1), 4), 'run-a');
      expect(await records.endUnbegun(task.id, key('a'), end)).toMatchObject({ status: 'notified', runId: 'run-a' });
      expect(await records.endUnbegun(task.id, key('b'), end)).toMatchObject({ outcome: 'failed', runId: null });
      const later = { ...end, endedAtMs: 6 };
      expect(await records.endUnbegun(task.id, key('b'), later)).toMatchObject({ outcome: 'failed', endedAtMs: 5 });
    });

    it('verifies nothing when no device of a verification was reached', async () => {
      const id = await build.firmware('3.0.0');
      const early = await build.verification(id, ['a']);
      await expect(records.requestVerificationEnd(early.id, 5)).rejects.toMatchObject({
        code: 'verification-reached-nobody',
      });
      await records.taskEnded(early.id, 'completed', 6);
      expect(await records.getFirmware(id)).toMatchObject({ status: 'unverified' });

      const reached = await build.verification(id, ['a']);
      await records.recordDeviceUpdate(reached.id, key('a'), notified(initialState(7), 8), 'run');
      await records.requestVerificationEnd(reached.id, 9);
      await records.taskEnded(reached.id, 'completed', 10);
      expect(await records.getFirmware(id)).toMatchObject({ status: 'verified' });
    });

    it('verifies a firmware that a device was found to run', async () => {
      const id = await build.firmware('3.0.0');
      const { id: taskId } = await build.verification(id, ['a']);
      await records.recordDeviceUpdate(taskId, key('a'), succeeded(initialState(7), 8), 'run');
      await records.taskEnded(taskId, 'completed', 10);
      expect(await records.getFirmware(id)).toMatchObject({ status: 'verified' });
    });

    it('refuses a batch that is larger than Temporal can carry, before anything of it is kept', async () => {
      await records.taskEnded(task.id, 'cancelled', 3);
      const large = { ...build.newBatch(firmwareId, ['1.0.0']), devicesMax: 3 };
      await expect(records.createTask(large)).rejects.toMatchObject({
        code: 'batch-too-large',
        message: expect.stringMatching(/4 devices.*at most 3.*fewer source versions/) as unknown,
      });
      expect(await records.getTask(large.id)).toBeUndefined();
      await expect(records.createTask({ ...large, devicesMax: 4 })).resolves.toBeDefined();
    });

    it('wakes the held-back devices of a task that goes on', async () => {
      await records.recordDeviceUpdate(task.id, key('a'), initialState(1), 'run');
      const { id } = (await records.getDeviceUpdate(task.id, 'a')) ?? { id: 0 };
      for (let n = 0; n < 12; n++) await records.signalled(id, 'online', 100 + n);
      await records.pauseTasksOf('ab'.repeat(32), 'firmware-file-damaged', 200);
      await records.resumeTasksOf('ab'.repeat(32));
      expect(await records.getDeviceUpdateById(id)).toMatchObject({ onlineSignals: 0, onlineSignalledAtMs: null });
    });

    it('neither sweeps nor counts as pending what soaks', async () => {
      await records.taskEnded(task.id, 'cancelled', 3);
      const soaking = await build.batch(firmwareId, ['1.0.0'], ['a'], { soakMs: 60_000 });
      await records.recordDeviceUpdate(soaking.id, key('a'), initialState(4), 'run');
      await records.deviceConnected(key('a'), 'c', 5);
      expect(await records.pendingOnlineUpdates(9)).toHaveLength(1);
      await records.versionReported(key('a'), { module: 'default', version: '2.0.0', atMs: 6 });
      expect(await records.pendingOnlineUpdates(9)).toEqual([]);
      expect((await records.getTask(soaking.id))?.counts).toMatchObject({ pending: 0, notified: 1 });
    });
  });
}
