import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified } from '../../../domain/device-update.js';
import type { Records } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import type { Ground } from './ground.js';

export function describeRestore(ground: () => Ground): void {
  describe('a restored engine', () => {
    let records: Records;
    let build: Builder;
    const key = (deviceName: string) => ({ productKey: build.productKey, deviceName });
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b', 'c']);
    });

    it('must be told of open tasks again: their start, and what operators have asked for', async () => {
      const task = await build.verification(await build.firmware('2.0.0'), ['a']);
      await records.taskBegun(task.id, 'run', 2);
      await records.requestTaskCancel(task.id, 3);
      await records.delivered(task.id, 'cancel');
      expect(await records.undeliveredTasks(10)).toEqual([]);
      await records.engineRestored(0);
      expect(await records.undeliveredTasks(10)).toMatchObject([{ task: { id: task.id }, start: true, cancel: true }]);
      expect(await records.getTask(task.id)).toMatchObject({ status: 'running', runId: 'run' });
    });

    it('must be told of open device updates again: progress, failure, and what operators have cancelled', async () => {
      const task = await build.verification(await build.firmware('2.0.0'), ['a']);
      const state = notified(initialState(1), 2);
      const { id } = await records.recordDeviceUpdate(task.id, key('a'), state, 'run');
      await records.progressReported(key('a'), { module: null, step: 100, atMs: 3 });
      await records.signalled(id, 'hundred', 3);
      await records.failureReported(key('a'), { module: null, cause: 'extraction-failed', description: '', atMs: 4 });
      await records.signalled(id, 'failure', 4);
      await records.requestDeviceCancel(task.id, 'a', 5);
      await records.deviceCancelDelivered(id);
      await records.engineRestored(0);
      expect(await records.getDeviceUpdateById(id)).toMatchObject({
        record: { status: 'upgrading', step: 100, runId: 'run' },
        failureSignalled: false,
      });
      for (const before of [
        { startedBeforeMs: 3, hundredBeforeMs: 0 },
        { startedBeforeMs: 0, hundredBeforeMs: 3 },
      ]) {
        expect(await records.untoldProgress(before, 10)).toMatchObject([{ record: { id } }]);
      }
      expect(await records.untoldNews(10)).toHaveLength(1);
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toMatchObject([{ id }]);
    });

    it('has nothing to hear of what has ended', async () => {
      const task = await build.verification(await build.firmware('2.0.0'), ['a', 'b']);
      await records.taskBegun(task.id, 'run', 2);
      const { id } = await records.recordDeviceUpdate(task.id, key('a'), notified(initialState(1), 2), 'run');
      await records.failureReported(key('a'), { module: null, cause: 'extraction-failed', description: '', atMs: 4 });
      await records.signalled(id, 'failure', 4);
      await records.recordDeviceUpdate(task.id, key('a'), failed(initialState(1), 'extraction-failed', 5), 'run');
      await records.taskEnded(task.id, 'completed', 6);
      await records.engineRestored(0);
      expect(await records.undeliveredTasks(10)).toEqual([]);
      expect(await records.getDeviceUpdateById(id)).toMatchObject({ failureSignalled: true });
    });

    it('finds every device offline, and is remembered until it has caught up', async () => {
      await records.deviceConnected(key('c'), 'connection', 2);
      expect(await records.restorePoint()).toBeUndefined();
      await records.engineRestored(7);
      expect(await records.getDevice(key('c'))).toMatchObject({ online: false });
      expect(await records.restorePoint()).toBe(7);
      await records.engineRestored(5);
      expect(await records.restorePoint()).toBe(5);
      await records.engineCaughtUp();
      expect(await records.restorePoint()).toBeUndefined();
    });

    it('has numbers of its own for what comes next: none that was given before is given again', async () => {
      const [first, url] = [await build.verification(await build.firmware('2.0.0'), ['a']), 'download-url-key'];
      const before = await records.getDeviceUpdate(first.id, 'a');
      const lost = await records.lastChange();
      await records.setting(url, () => 'key of before');
      await records.beginEra(5_000_000);
      const next = await build.verification(first.firmware.id, ['b']);
      expect((await records.getDeviceUpdate(next.id, 'b'))?.id).toBeGreaterThan((before?.id ?? 0) + 1_000_000);
      expect(next.change).toBeGreaterThan(5_000_000);
      expect(await records.setting(url, () => 'another key')).toBe('another key');
      // What the restored records know is known; what was lost is neither old nor new.
      const isLost = (change: number) => records.isLostChange(change);
      expect(await isLost(lost)).toBe(false);
      expect(await isLost(lost + 1)).toBe(true);
      expect(await isLost(next.change)).toBe(false);
      const second = await records.lastChange();
      await records.beginEra(5_000_001);
      expect([await isLost(lost + 1), await isLost(second), await isLost(second + 1)]).toEqual([true, false, true]);
      expect(await isLost(next.change)).toBe(false);
    });

    it('that is none of ours leaves nothing to catch up with', async () => {
      await records.engineRestored(null);
      expect(await records.restorePoint()).toBeUndefined();
    });
  });
}
