import { beforeEach, describe, expect, it } from 'vitest';
import { initialState, notified } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import type { Ground } from './ground.js';

/** Tasks whose firmware file is damaged, and what the doctor finds. */
export function describePauses(ground: () => Ground): void {
  describe('pauses and repairs', () => {
    let records: Records;
    let build: Builder;
    /** The file of every firmware that the builder makes. */
    const FILE = 'ab'.repeat(32);
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b']);
      await build.runs('a', '1.0.0');
      await build.runs('b', '1.1.0');
    });
    const batch = async (sourceVersion: string): Promise<TaskRecord> =>
      build.batch(await build.verified(build.id('v')), [sourceVersion]);
    const statusOf = async ({ id }: TaskRecord) => (await records.getTask(id))?.status;

    describe('tasks of a damaged file', () => {
      it('that run are paused, and go on when the file is well', async () => {
        const [running, pending] = [await batch('1.0.0'), await batch('1.1.0')];
        await records.taskBegun(running.id, 'run', 2);
        const before = await records.lastChange();
        expect(await records.pauseTasksOf(FILE, 'firmware-file-damaged', 5)).toEqual([running.id]);
        expect(await records.getTask(running.id)).toMatchObject({
          status: 'paused',
          pausedCause: 'firmware-file-damaged',
          pausedAtMs: 5,
        });
        expect(await statusOf(pending)).toBe('pending');
        expect((await records.changesSince(before, null, 10)).tasks.map(({ id }) => id)).toEqual([running.id]);
        expect(await records.pauseTasksOf(FILE, 'firmware-file-damaged', 9)).toEqual([]);
        expect(await records.pausedFiles()).toEqual([FILE]);
        expect(await records.countTasks('paused')).toBe(1);
        expect(await records.countTasks('running')).toBe(0);

        expect(await records.resumeTasksOf(FILE)).toEqual([running.id]);
        expect(await records.getTask(running.id)).toMatchObject({
          status: 'running',
          pausedCause: null,
          pausedAtMs: null,
        });
        expect(await records.pausedFiles()).toEqual([]);
        expect(await records.resumeTasksOf(FILE)).toEqual([]);
      });

      it('of another file go on', async () => {
        const task = await batch('1.0.0');
        await records.taskBegun(task.id, 'run', 2);
        expect(await records.pauseTasksOf('cd'.repeat(32), 'firmware-file-damaged', 5)).toEqual([]);
        expect(await statusOf(task)).toBe('running');
      });

      it('can end while they are paused', async () => {
        const task = await batch('1.0.0');
        await records.taskBegun(task.id, 'run', 2);
        await records.pauseTasksOf(FILE, 'firmware-file-damaged', 5);
        expect(await records.taskBegun(task.id, 'run', 6)).toMatchObject({ status: 'paused' });
        const ended = await records.taskEnded(task.id, 'cancelled', 7);
        expect(ended).toMatchObject({ status: 'cancelled', pausedCause: null, pausedAtMs: null });
        expect(await records.pausedFiles()).toEqual([]);
      });
    });

    describe('one device update', () => {
      it('is found by its id, and by its place, with its task and firmware, also before it begins', async () => {
        const task = await batch('1.0.0');
        const key = { productKey: build.productKey, deviceName: 'a' };
        expect(await records.openDeviceUpdate(key, null)).toBeUndefined();
        expect(await records.wholeDeviceUpdate(task.id, 'a')).toMatchObject({ record: { status: 'pending' } });
        const { id } = await records.recordDeviceUpdate(task.id, key, notified(initialState(2), 3), 'run');
        const whole = {
          record: { id, taskId: task.id, deviceName: 'a', status: 'notified' },
          firmware: { id: task.firmware.id },
          ...{ kind: 'batch', sourceVersions: ['1.0.0'], isDeviceRevoked: false, reportedFailure: null },
        };
        expect(await records.wholeDeviceUpdate(task.id, 'a')).toMatchObject(whole);
        expect(await records.getDeviceUpdateById(id)).toMatchObject(whole);
        expect(await records.openDeviceUpdate(key, 'default')).toMatchObject(whole);
        expect(await records.openDeviceUpdate(key, 'mcu')).toBeUndefined();
        expect(await records.wholeDeviceUpdate(task.id, 'b')).toBeUndefined();
        await records.revokeDevice(key, 4);
        expect(await records.wholeDeviceUpdate(task.id, 'a')).toMatchObject({ isDeviceRevoked: true });
      });
    });

    describe('an ended task with device updates that have begun and not ended', () => {
      it('is told to the doctor until they have ended', async () => {
        const task = await batch('1.0.0');
        const key = { productKey: build.productKey, deviceName: 'a' };
        await records.recordDeviceUpdate(task.id, key, initialState(2), 'run');
        expect(await records.endedTasksWithOpenUpdates()).toEqual([]);
        await records.taskEnded(task.id, 'cancelled', 3);
        expect(await records.endedTasksWithOpenUpdates()).toEqual([task.id]);
        const ended = { ...initialState(2), status: 'cancelled', endedAtMs: 4 } as const;
        await records.recordDeviceUpdate(task.id, key, ended, 'run');
        expect(await records.endedTasksWithOpenUpdates()).toEqual([]);
      });
    });

    describe('a claim that the doctor is told to repair', () => {
      const missing = (task: TaskRecord, heldBy: string | null = null) => ({
        ...{ kind: 'claim-missing' as const, taskId: task.id, sourceVersion: '1.0.0', heldBy },
      });

      it('is released when its task has ended, and taken again when its task is open', async () => {
        const task = await batch('1.0.0');
        const leaked = { kind: 'claim-leaked', taskId: task.id, sourceVersion: '1.0.0' } as const;
        expect(await records.repairBookkeeping(leaked, 5)).toBe(true);
        expect(await records.bookkeepingFaults()).toEqual([missing(task)]);
        expect(await records.listConflicts(build.productKey, 'default')).toEqual([]);
        expect(await records.repairBookkeeping(missing(task), 6)).toBe(true);
        expect(await records.bookkeepingFaults()).toEqual([]);
        expect(await records.listConflicts(build.productKey, 'default')).toMatchObject([{ taskId: task.id }]);
      });

      it('is not taken from another batch, also when that has taken it meanwhile', async () => {
        const task = await batch('1.0.0');
        await records.repairBookkeeping({ kind: 'claim-leaked', taskId: task.id, sourceVersion: '1.0.0' }, 5);
        const other = await batch('1.0.0');
        expect(await records.bookkeepingFaults()).toEqual([missing(task, other.id)]);
        expect(await records.repairBookkeeping(missing(task, other.id), 6)).toBe(false);
        expect(await records.repairBookkeeping(missing(task), 6)).toBe(false);
        expect(await records.listConflicts(build.productKey, 'default')).toMatchObject([{ taskId: other.id }]);
        expect(await records.repairBookkeeping(missing({ ...task, id: 'nothing' }), 6)).toBe(false);
      });
    });

    it('answer a ping while they can be read and written', async () => {
      await expect(records.ping()).resolves.toBeUndefined();
    });
  });
}
