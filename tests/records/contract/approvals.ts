import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import type { Ground } from './ground.js';

/** The two-person rule: what a second operator says of a batch that is large. */
export function describeApprovals(ground: () => Ground): void {
  describe('a batch that needs a second operator', () => {
    let records: Records;
    let build: Builder;
    let task: TaskRecord;
    beforeEach(async () => {
      ({ records, build } = ground());
      await build.devices(['a', 'b']);
      await build.runs('a', '1.0.0');
      await build.runs('b', '1.0.0');
      task = await created(1);
    });
    const created = async (approvalAbove: number | null): Promise<TaskRecord> => {
      const large = { ...build.newBatch(await build.verified(build.id('v')), ['1.0.0']), startedBy: 'Ada' };
      return (await records.createTask({ ...large, approvalAbove })).value;
    };
    const decide = (by: string, decision: 'approved' | 'rejected' = 'approved', of = task.id) =>
      records.decideTask(of, { decision, by, remark: 'seen', atMs: 5 });

    it('is one of more devices than may go without', async () => {
      expect(task).toMatchObject({ needsApproval: true, startedBy: 'Ada', approval: null });
      await records.taskEnded(task.id, 'rejected', 2);
      for (const above of [2, null]) {
        const small = await created(above);
        expect(small.needsApproval).toBe(false);
        await records.taskEnded(small.id, 'cancelled', 3);
      }
    });

    it('waits for the decision once its run has begun, and runs only after it was approved', async () => {
      expect(await records.taskBegun(task.id, 'run', 2)).toMatchObject({ status: 'awaiting-approval' });
      expect(await records.countTasks('awaiting-approval')).toBe(1);
      const { value: approved } = await decide('Bob');
      expect(approved).toMatchObject({ approval: { decision: 'approved', by: 'Bob', remark: 'seen', atMs: 5 } });
      expect(await records.undeliveredTask(task.id)).toMatchObject({ approval: { by: 'Bob' } });
      expect(await records.taskBegun(task.id, 'run', 6)).toMatchObject({ status: 'running', startedAtMs: 2 });
      await records.delivered(task.id, 'approval');
      expect(await records.undeliveredTask(task.id)).toBeUndefined();
    });

    it('is decided by nobody who has created it, whatever the decision', async () => {
      for (const decision of ['approved', 'rejected'] as const) {
        await expect(decide('Ada', decision)).rejects.toMatchObject({ code: 'second-operator-required' });
      }
      expect((await records.getTask(task.id))?.approval).toBeNull();
      expect((await records.undeliveredTask(task.id))?.approval).toBeNull();
    });

    it('is decided once: the same decision again changes nothing, another one is refused', async () => {
      const first = await decide('Bob', 'rejected');
      const again = await records.decideTask(task.id, { decision: 'rejected', by: 'Bob', remark: 'x', atMs: 9 });
      expect(again).toEqual({ value: first.value, replayed: true });
      await expect(decide('Bob', 'approved')).rejects.toMatchObject({ code: 'task-not-awaiting-approval' });
      await expect(decide('Eve', 'rejected')).rejects.toMatchObject({ code: 'task-not-awaiting-approval' });
    });

    it('is not decided any more when it is being cancelled or has ended, and not at all when it needs none', async () => {
      await records.requestTaskCancel(task.id, 4);
      await expect(decide('Bob')).rejects.toMatchObject({ code: 'task-not-awaiting-approval' });
      await records.taskEnded(task.id, 'cancelled', 5);
      await expect(decide('Bob')).rejects.toMatchObject({ code: 'task-not-awaiting-approval' });
      const small = await created(null);
      await expect(decide('Bob', 'approved', small.id)).rejects.toMatchObject({ code: 'task-not-awaiting-approval' });
      await expect(decide('Bob', 'approved', 'nothing')).rejects.toMatchObject({ code: 'not-found' });
    });

    it('is asked again of a re-initiation that is as large', async () => {
      await decide('Bob');
      for (const deviceName of ['a', 'b']) {
        const key = { productKey: build.productKey, deviceName };
        await records.recordDeviceUpdate(task.id, key, failed(initialState(1), 'stalled', 6), 'run');
      }
      await records.taskEnded(task.id, 'completed', 7);
      const again = { id: build.id('again'), reinitiates: task.id, deviceNames: null, createdAtMs: 8 };
      const { value } = await records.reinitiateTask({ ...again, startedBy: 'Bob', approvalAbove: 1 });
      expect(value).toMatchObject({ needsApproval: true, approval: null, startedBy: 'Bob' });
      await expect(decide('Bob', 'approved', value.id)).rejects.toMatchObject({ code: 'second-operator-required' });
    });
  });
}
