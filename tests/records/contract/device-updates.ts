import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  failed,
  initialState,
  left,
  notified,
  progressed,
  succeeded,
  unreachable,
  type DeviceUpdateState,
} from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { allPages, type Ground } from './ground.js';

export function describeDeviceUpdates(ground: () => Ground): void {
  describe('a device update', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    let task: TaskRecord;
    const key = () => ({ productKey: build.productKey, deviceName: 'a' });
    const record = (state: DeviceUpdateState, runId = 'run-1') =>
      records.recordDeviceUpdate(task.id, key(), state, runId);
    beforeEach(async () => {
      await build.devices(['a', 'b']);
      task = await build.verification(await build.firmware('2.0.0'), ['a', 'b']);
    });

    it('is found as the open one only once it has begun', async () => {
      expect(await records.openDeviceUpdate(key(), null)).toBeUndefined();
      await record(initialState(5));
      expect(await records.openDeviceUpdate(key(), 'default')).toMatchObject({
        record: { runId: 'run-1', begunAtMs: 5 },
      });
      expect(await records.openDeviceUpdate(key(), 'mcu')).toBeUndefined();
      await record(failed(initialState(5), 'stalled', 6));
      expect(await records.openDeviceUpdate(key(), null)).toBeUndefined();
    });

    it('takes progress only after a notification, and keeps it against a run that lags behind', async () => {
      await record(initialState(1));
      expect(await records.progressReported(key(), { module: null, step: 10, atMs: 2 })).toBe(false);
      const told = notified(initialState(1), 3);
      await record(told);
      await records.progressReported(key(), { module: 'default', step: 40, atMs: 4 });
      await records.progressReported(key(), { module: null, step: 20, atMs: 5 });
      expect(await records.progressReported(key(), { module: 'mcu', step: 90, atMs: 6 })).toBe(false);
      await record(told);
      await record(unreachable(told));
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({
        status: 'upgrading',
        step: 40,
        startedAtMs: 4,
        lastProgressAtMs: 5,
      });
      await record(progressed(told, 10, 4));
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ step: 40, lastProgressAtMs: 5 });
    });

    it('notes a download of an open update, and its device’s absence, against a run that lags behind', async () => {
      await record(notified(initialState(1), 2));
      const { id } = (await records.getDeviceUpdate(task.id, 'a')) ?? { id: 0 };
      await records.downloading(id, 7);
      await records.downloading(id, 5);
      const upgrading = progressed(notified(initialState(1), 2), 10, 3);
      await record(left(upgrading, 9));
      await record(upgrading);
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ lastDownloadAtMs: 7, awaySinceMs: 9 });
      await record(failed(upgrading, 'stalled', 10));
      await records.downloading(id, 11);
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ lastDownloadAtMs: 7 });
    });

    it('keeps the gateway’s time of progress: the run’s clock may be another machine’s', async () => {
      await record(notified(initialState(1), 2));
      await records.progressReported(key(), { module: null, step: 10, atMs: 3 });
      await record(progressed(notified(initialState(1), 2), 10, 1_000));
      await records.progressReported(key(), { module: null, step: 20, atMs: 4 });
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ lastProgressAtMs: 4 });
    });

    it('tells since when the device of an open update is offline', async () => {
      await record(initialState(1));
      const offlineSince = async () => (await records.openDeviceUpdate(key(), null))?.offlineSinceMs;
      expect(await offlineSince()).toBeNull();
      await records.deviceConnected(key(), 'c', 5);
      expect(await offlineSince()).toBeNull();
      await records.deviceDisconnected(key(), 'c', 8);
      expect(await offlineSince()).toBe(8);
    });

    it('takes any reports as the domain does, whichever statement writes them', async () => {
      const step = fc.integer({ min: 0, max: 100 });
      await fc.assert(
        fc.asyncProperty(fc.array(fc.record({ step, atMs: fc.integer({ min: 1, max: 9 }) })), async (reports) => {
          const deviceName = build.id('device');
          await build.devices([deviceName]);
          const own = await build.verification(task.firmware.id, [deviceName]);
          const device = { productKey: build.productKey, deviceName };
          let state = notified(initialState(1), 2);
          await records.recordDeviceUpdate(own.id, device, state, 'run');
          for (const report of reports) {
            state = progressed(state, report.step, report.atMs);
            expect(await records.progressReported(device, { module: null, ...report })).toBe(true);
          }
          expect(await records.getDeviceUpdate(own.id, deviceName)).toMatchObject(state);
        }),
        { numRuns: 30 },
      );
    });

    it('names the updates whose progress the engine does not know of, once they are old enough', async () => {
      const untold = async (startedBeforeMs: number, hundredBeforeMs: number) =>
        (await records.untoldProgress({ startedBeforeMs, hundredBeforeMs }, 10)).map(({ record: { step } }) => step);
      const { id } = await record(notified(initialState(1), 2));
      expect(await untold(99, 99)).toEqual([]);
      await records.progressReported(key(), { module: null, step: 7, atMs: 5 });
      expect(await untold(4, 99)).toEqual([]);
      expect(await untold(5, 0)).toEqual([7]);
      await records.signalled(id, 'progress', 6);
      await records.progressReported(key(), { module: null, step: 100, atMs: 8 });
      expect(await untold(99, 7)).toEqual([]);
      expect(await untold(0, 8)).toEqual([100]);
      await records.signalled(id, 'hundred', 9);
      expect(await untold(99, 99)).toEqual([]);
    });

    it('can fall back from notified to pending when the device has left', async () => {
      const told = notified(initialState(1), 3);
      await record(told);
      await record(unreachable(told));
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ status: 'pending' });
      expect(await records.getTask(task.id)).toMatchObject({ counts: { pending: 2, notified: 0 } });
    });

    it('never changes once it has ended', async () => {
      await record(succeeded(notified(initialState(1), 2), 3));
      const ended = await records.getDeviceUpdate(task.id, 'a');
      await record(failed(notified(initialState(1), 2), 'stalled', 9));
      await record(notified(initialState(1), 9));
      await records.progressReported(key(), { module: null, step: 50, atMs: 9 });
      expect(await records.getDeviceUpdate(task.id, 'a')).toEqual(ended);
    });

    it('keeps the first failure that its device reports, until the engine knows of it', async () => {
      const report = { module: null, cause: 'download-failed' as const, description: 'no route', atMs: 5 };
      await record(initialState(1));
      expect(await records.failureReported(key(), report)).toBeUndefined();
      const { id } = await record(notified(initialState(1), 2));
      await records.failureReported(key(), report);
      const after = await records.failureReported(key(), { ...report, cause: 'update-failed', atMs: 6 });
      const kept = { cause: 'download-failed', description: 'no route', atMs: 5 };
      expect(after).toMatchObject({ record: { status: 'notified' }, reportedFailure: kept, failureSignalled: false });
      expect(await records.untoldNews(10)).toMatchObject([{ record: { id } }]);
      await records.signalled(id, 'failure', 7);
      expect(await records.untoldNews(10)).toEqual([]);
    });

    it('remembers how often its run was told that the device is online, and when last', async () => {
      const { id } = await record(notified(initialState(1), 2));
      await records.signalled(id, 'online', 4);
      await records.signalled(id, 'online', 5);
      expect(await records.getDeviceUpdateById(id)).toMatchObject({ onlineSignals: 2, onlineSignalledAtMs: 5 });
    });

    it('is offered to the sweep while it is pending and its device is online', async () => {
      await record(initialState(1));
      expect(await records.pendingOnlineUpdates(10)).toEqual([]);
      await records.deviceConnected(key(), 'c', 1);
      await records.deviceConnected({ ...key(), deviceName: 'b' }, 'c', 1);
      expect(await records.pendingOnlineUpdates(10)).toMatchObject([{ record: { deviceName: 'a' } }]);
      await record(notified(initialState(1), 2));
      expect(await records.pendingOnlineUpdates(10)).toEqual([]);
    });

    it('has its turn in the sweep however many others wait offline', async () => {
      const names = Array.from({ length: 2_100 }, (_, i) => `waiting-${i}`);
      const { records, build } = ground();
      await build.devices(names);
      await Promise.all(names.map((name) => build.runs(name, '1.1.0')));
      const { id } = await build.batch(await build.verified('2.1.0'), ['1.1.0']);
      const ofBuild = (deviceName: string) => ({ productKey: build.productKey, deviceName });
      await Promise.all(names.map((name) => records.recordDeviceUpdate(id, ofBuild(name), initialState(1), 'run')));
      await records.deviceConnected(ofBuild('waiting-2099'), 'c', 1);
      await records.deviceConnected(ofBuild('waiting-0'), 'c', 1);
      const found: string[] = [];
      for (let look = 0; look < 6; look++) {
        for (const { record } of await records.pendingOnlineUpdates(1)) found.push(record.deviceName);
      }
      // Two full rounds of three looks each.
      expect(found.sort()).toEqual(['waiting-0', 'waiting-0', 'waiting-2099', 'waiting-2099']);
    });

    it('is committed when its promise resolves: another process sees it at once', async () => {
      const other = await ground().again();
      await record(notified(initialState(1), 2));
      expect(await other.getDeviceUpdate(task.id, 'a')).toMatchObject({ status: 'notified' });
      await other.close();
    });

    it('is in the history of its device, newest first', async () => {
      await records.taskEnded(task.id, 'completed', 2);
      const second = await build.verification(task.firmware.id, ['a']);
      const history = await allPages((page) => records.listDeviceHistory(key(), page), 1);
      expect(history.map(({ taskId }) => taskId)).toEqual([second.id, task.id]);
    });
  });
}
