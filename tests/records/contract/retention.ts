import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, updatesOf, type Ground } from './ground.js';

/** Forgetting tasks that ended long ago. */
export function describeRetention(ground: () => Ground): void {
  let records: Records;
  let build: Builder;
  beforeEach(() => {
    ({ records, build } = ground());
  });

  const forget = (endedBeforeMs: number, rowsMax = 100) => records.forgetTasks({ endedBeforeMs, atMs: 1_000, rowsMax });
  const idsOf = async () => (await allPages((page) => records.listTasks({}, page))).map(({ id }) => id);
  const history = (deviceName: string) =>
    allPages((page) => records.listDeviceHistory({ productKey: build.productKey, deviceName }, page));

  /** A verification of these devices, all of which fail; ended then. */
  async function ended(deviceNames: readonly string[], atMs: number, firmwareId?: string): Promise<TaskRecord> {
    const task = await build.verification(firmwareId ?? (await build.firmware(build.id('v'))), deviceNames);
    return end(task, deviceNames, atMs);
  }
  async function end(task: TaskRecord, deviceNames: readonly string[], atMs: number): Promise<TaskRecord> {
    await records.taskBegun(task.id, 'run', 2);
    for (const deviceName of deviceNames) {
      const key = { productKey: build.productKey, deviceName };
      const state = failed(notified(initialState(2), 3), 'update-failed', atMs);
      await records.recordDeviceUpdate(task.id, key, state, 'run');
    }
    return records.taskEnded(task.id, 'completed', atMs);
  }
  async function reinitiated(of: TaskRecord): Promise<TaskRecord> {
    const id = build.id('task');
    const created = await records.reinitiateTask({ id, reinitiates: of.id, deviceNames: null, createdAtMs: 20 });
    return created.value;
  }

  describe('forgetting', () => {
    beforeEach(() => build.devices(['a', 'b', 'c']));

    it('takes tasks that ended before the time, with their device updates, and leaves the others', async () => {
      const old = await ended(['a', 'b'], 100);
      const young = await ended(['a'], 200);
      const open = await build.verification(await build.firmware('9.0.0'), ['b']);
      expect(await records.countForgettable(200)).toEqual({ tasks: 1, deviceUpdates: 2 });
      expect(await forget(200)).toEqual({ tasks: 1, deviceUpdates: 2, more: false });
      expect(await idsOf()).toEqual([open.id, young.id]);
      expect(await records.getTask(old.id)).toBeUndefined();
      expect(await updatesOf(records, old)).toEqual([]);
      expect((await history('a')).map(({ taskId }) => taskId)).toEqual([young.id]);
      expect(await records.getDeviceUpdate(open.id, 'b')).toMatchObject({ status: 'pending' });
      expect(await forget(200)).toEqual({ tasks: 0, deviceUpdates: 0, more: false });
    });

    it('leaves firmware, which counts for the quota, and devices', async () => {
      const firmwareId = await build.firmware('2.0.0');
      await ended(['a'], 100, firmwareId);
      const count = await records.countFirmware();
      await forget(Number.MAX_SAFE_INTEGER);
      expect(await records.countFirmware()).toBe(count);
      expect(await records.getFirmware(firmwareId)).toMatchObject({ status: 'verified' });
      expect(await records.getDevice({ productKey: build.productKey, deviceName: 'a' })).toBeDefined();
    });

    it('takes the claims of a batch with it: its source version is free, as before', async () => {
      await build.runs('a', '1.0.0');
      const firmwareId = await build.verified('2.0.0');
      const batch = await build.batch(firmwareId, ['1.0.0'], ['a']);
      await end(batch, ['a'], 100);
      await forget(Number.MAX_SAFE_INTEGER);
      expect(await records.getTask(batch.id)).toBeUndefined();
      expect(await build.batch(firmwareId, ['1.0.0'], ['a'])).toMatchObject({ counts: { total: 1 } });
    });

    it('keeps a task for as long as one that re-initiates it, and counts attempts on', async () => {
      const first = await ended(['a'], 100);
      const second = await end(await reinitiated(first), ['a'], 300);
      expect(await records.countForgettable(200)).toEqual({ tasks: 0, deviceUpdates: 0 });
      expect(await forget(200)).toEqual({ tasks: 0, deviceUpdates: 0, more: false });
      const third = await reinitiated(second);
      expect(await updatesOf(records, third)).toMatchObject([{ attempt: 3 }]);
      expect(await records.countForgettable(400)).toEqual({ tasks: 0, deviceUpdates: 0 });
      expect(await forget(400)).toMatchObject({ tasks: 0 });
    });

    it('takes a chain of re-initiations from its newest task on', async () => {
      const first = await ended(['a'], 100);
      await end(await reinitiated(first), ['a'], 150);
      expect(await records.countForgettable(200)).toEqual({ tasks: 2, deviceUpdates: 2 });
      expect(await forget(200)).toEqual({ tasks: 2, deviceUpdates: 2, more: false });
      expect(await idsOf()).toEqual([]);
    });

    it('goes in pieces of so many rows', async () => {
      await ended(['a', 'b', 'c'], 100);
      await ended(['a'], 100);
      const pieces = [];
      do pieces.push(await forget(200, 2));
      while (pieces.at(-1)?.more);
      expect(Math.max(...pieces.map(({ tasks, deviceUpdates }) => tasks + deviceUpdates))).toBe(2);
      expect(pieces.reduce((sum, { deviceUpdates }) => sum + deviceUpdates, 0)).toBe(4);
      expect(pieces.reduce((sum, { tasks }) => sum + tasks, 0)).toBe(2);
    });

    describe('that was interrupted', () => {
      let task: TaskRecord;
      beforeEach(async () => {
        task = await ended(['a', 'b', 'c'], 100);
        expect(await forget(200, 1)).toEqual({ tasks: 0, deviceUpdates: 1, more: true });
        records = await ground().again();
      });

      it('shows nothing of the task, so that no count disagrees with its rows', async () => {
        expect(await records.getTask(task.id)).toBeUndefined();
        expect(await idsOf()).toEqual([]);
        expect(await history('c')).toEqual([]);
        expect(await records.latestFailures(0, 10)).toEqual([]);
        expect(await records.tasksToReinitiate(0, 10)).toEqual([]);
        expect((await records.changesSince(0, null, 100)).tasks).toEqual([]);
        expect(await records.bookkeepingFaults()).toEqual([]);
      });

      it('can’t be re-initiated', async () => {
        await expect(reinitiated(task)).rejects.toMatchObject({ code: 'not-found' });
      });

      it('goes on with that task, whatever the time asked', async () => {
        expect(await forget(0)).toEqual({ tasks: 1, deviceUpdates: 2, more: false });
      });
    });
  });
}
