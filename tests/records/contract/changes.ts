import { once } from 'node:events';
import { beforeEach, describe, expect, it } from 'vitest';
import { initialState, notified } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { type Ground } from './ground.js';

export function describeChanges(ground: () => Ground): void {
  describe('changes', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });

    it('can be followed from any point without a gap, in pages of any size', async () => {
      const names = Array.from({ length: 7 }, (_, i) => `lamp-${i}`);
      await build.devices(names);
      const start = await records.lastChange();
      const task = await build.verification(await build.firmware('2.0.0'), names);
      const seen = new Set<string>();
      let change = start;
      for (let more = true; more;) {
        const page = await records.changesSince(change, task.id, 2);
        for (const { deviceName } of page.deviceUpdates) seen.add(deviceName);
        ({ change, more } = page);
      }
      expect([...seen].sort()).toEqual(names);
      expect(change).toBe(await records.lastChange());

      await records.recordDeviceUpdate(
        task.id,
        { productKey: build.productKey, deviceName: 'lamp-3' },
        initialState(1),
        'r',
      );
      expect(await records.changesSince(change, task.id, 10)).toMatchObject({
        deviceUpdates: [{ deviceName: 'lamp-3' }],
        more: false,
      });
      expect(await records.changesSince(await records.lastChange(), null, 10)).toMatchObject({
        tasks: [],
        deviceUpdates: [],
      });
    });

    it('are told after the commit, with the ids of the tasks', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const told: string[] = [];
      const stop = records.onChange((taskIds) => told.push(...(taskIds ?? [])));
      const task = await build.verification(id, ['a']);
      stop();
      await records.requestTaskCancel(task.id, 1);
      expect(told).toEqual([task.id]);
    });

    it('are already there for another process when a listener hears of them', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const other = await ground().again();
      const seen: Promise<TaskRecord | undefined>[] = [];
      records.onChange((taskIds) => {
        for (const taskId of taskIds ?? []) seen.push(other.getTask(taskId));
      });
      const task = await build.verification(id, ['a']);
      expect(await Promise.all(seen)).toMatchObject([{ id: task.id }]);
      await other.close();
    });

    it('of a percentage in mid-update are told too, though nobody looks up whose they are', async () => {
      await build.devices(['a']);
      const task = await build.verification(await build.firmware('2.0.0'), ['a']);
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.recordDeviceUpdate(task.id, key, notified(initialState(1), 2), 'run');
      await records.progressReported(key, { module: null, step: 1, atMs: 3 });
      const { change } = await records.changesSince(0, task.id, 10);
      const told: unknown[] = [];
      records.onChange((taskIds) => told.push(taskIds));
      await records.progressReported(key, { module: null, step: 2, atMs: 4 });
      expect(told).toEqual([null]);
      expect((await records.changesSince(change, task.id, 10)).deviceUpdates).toMatchObject([{ step: 2 }]);
    });

    it('are not told of a write that was refused', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const told: string[] = [];
      records.onChange((taskIds) => told.push(...(taskIds ?? [])));
      await expect(build.verification(id, ['a', 'nobody'])).rejects.toMatchObject({ code: 'devices-invalid' });
      expect(told).toEqual([]);
    });

    it('are kept, and told to the others, when a listener fails', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0.0');
      const warned = once(process, 'warning');
      const told: string[] = [];
      records.onChange(() => {
        throw new Error('a listener fails');
      });
      records.onChange((taskIds) => told.push(...(taskIds ?? [])));
      const task = await build.verification(id, ['a']);
      expect(told).toEqual([task.id]);
      expect(await warned).toMatchObject([{ message: 'a listener fails' }]);
    });
  });
}
