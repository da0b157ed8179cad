import { beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState, notified, succeeded } from '../../../domain/device-update.js';
import { resolvePolicy } from '../../../domain/policy.js';
import type { DeviceUpdateRecord, Records, TaskSnapshot } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import { type Ground } from './ground.js';

/** What keeps the records right: the soak time's notes, the doctor's look at them, and a rebuild. */
export function describeKeeping(ground: () => Ground): void {
  let records: Records;
  let build: Builder;
  beforeEach(() => {
    ({ records, build } = ground());
  });

  describe('version reports of an update with a soak time', () => {
    let update: () => Promise<DeviceUpdateRecord | undefined>;
    const reported = async (version: string, atMs: number) => {
      const key = { productKey: build.productKey, deviceName: 'a' };
      const update = await records.versionReported(key, { module: 'default', version, atMs });
      return update === 'too-many-modules' ? undefined : update;
    };
    beforeEach(async () => {
      await build.devices(['a']);
      await build.runs('a', '1.0.0');
      const task = await build.batch(await build.verified('2.0.0'), ['1.0.0'], null, { soakMs: 1_000 });
      await records.taskBegun(task.id, 'task-run', 2);
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.recordDeviceUpdate(task.id, key, notified(initialState(2), 3), 'run');
      update = () => records.getDeviceUpdate(task.id, 'a');
    });

    it('note the first report of the target version', async () => {
      await reported('2.0.0', 10);
      await reported('2.0.0', 20);
      expect(await update()).toMatchObject({ targetReportedAtMs: 10, status: 'notified' });
    });

    it('note a fall-back once, and only after the target version', async () => {
      expect((await reported('1.0.0', 10))?.reportedFailure).toBeNull();
      await reported('2.0.0', 20);
      const fallen = await reported('1.0.0', 30);
      expect(fallen?.reportedFailure).toEqual({ cause: 'fell-back', description: 'It runs 1.0.0.', atMs: 30 });
      expect((await reported('0.9.0', 40))?.reportedFailure?.atMs).toBe(30);
      expect(await records.untoldNews(10)).toHaveLength(1);
    });
  });

  describe('bookkeeping that is right', () => {
    it('has no faults, whatever the tasks went through', async () => {
      await build.devices(['a', 'b']);
      await build.runs('a', '1.0.0');
      await build.runs('b', '1.0.0');
      const task = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
      await records.taskBegun(task.id, 'task-run', 2);
      const key = { productKey: build.productKey, deviceName: 'a' };
      await records.recordDeviceUpdate(task.id, key, succeeded(notified(initialState(2), 3), 4), 'run');
      expect(await records.bookkeepingFaults()).toEqual([]);
      await records.taskEnded(task.id, 'completed', 5);
      expect(await records.bookkeepingFaults()).toEqual([]);
    });

    it('can be told again: a delivered start is undelivered then', async () => {
      await build.devices(['a']);
      const task = await build.verification(await build.firmware('2.0.0'), ['a']);
      await records.delivered(task.id, 'start');
      await records.tellAgain(task.id);
      expect(await records.undeliveredTask(task.id)).toMatchObject({ start: true });
    });

    it('can be told again of its approval too, for which a run that is started again waits', async () => {
      await build.devices(['a']);
      await build.runs('a', '1.0.0');
      const large = { ...build.newBatch(await build.verified('2.0.0'), ['1.0.0']), startedBy: 'Ada', approvalAbove: 0 };
      const { id } = (await records.createTask(large)).value;
      await records.decideTask(id, { decision: 'approved', by: 'Bob', remark: '', atMs: 2 });
      await records.delivered(id, 'start');
      await records.delivered(id, 'approval');
      await records.tellAgain(id);
      expect(await records.undeliveredTask(id)).toMatchObject({ start: true, approval: { by: 'Bob' } });
    });
  });

  describe('a repair of the bookkeeping', () => {
    it('of a claim that another task has taken meanwhile is none, and no error', async () => {
      await build.devices(['a']);
      await build.runs('a', '1.0.0');
      const verified = await build.verified('2.0.0');
      const first = await build.batch(verified, ['1.0.0']);
      const missing = { kind: 'claim-missing', sourceVersion: '1.0.0', heldBy: null } as const;
      await records.repairBookkeeping({ kind: 'claim-leaked', taskId: first.id, sourceVersion: '1.0.0' }, 2);
      const second = await build.batch(verified, ['1.0.0']);
      expect(await records.repairBookkeeping({ ...missing, taskId: first.id }, 3)).toBe(false);
      expect(await records.repairBookkeeping({ ...missing, taskId: second.id }, 3)).toBe(true);
      await records.taskEnded(second.id, 'cancelled', 4);
      expect(await records.repairBookkeeping({ ...missing, taskId: second.id }, 5)).toBe(false);
    });
  });

  describe('an imported task', () => {
    const snapshot = (): TaskSnapshot => ({
      ...{
        id: build.id('task'),
        kind: 'batch',
        status: 'running',
        sourceVersions: ['1.0.0'],
        reinitiates: null,
        startedBy: 'admin',
      },
      ...{ policy: resolvePolicy('batch'), runId: 'task-run', createdAtMs: 10, startedAtMs: 11, endedAtMs: null },
      ...{ cancelRequestedAtMs: null, endRequestedAtMs: null },
      firmware: {
        ...{ id: build.id('firmware'), name: 'lamp', productKey: build.id('product'), module: 'default' },
        ...{ version: '2.0.0', sizeBytes: 3, signMethod: 'SHA256', sign: 'ab', sha256: 'ab'.repeat(32) },
        ...{ createdAtMs: 1, verifiedAtMs: 5 },
      },
      deviceUpdates: [
        {
          ordinal: 0,
          deviceName: 'a',
          protocol: 'mqtt',
          attempt: 2,
          runId: 'run',
          state: notified(initialState(12), 13),
        },
        { ordinal: 1, deviceName: 'b', protocol: 'mqtt', attempt: 1, runId: null, state: initialState(null) },
      ],
    });

    it('brings the causes of its failures, counted', async () => {
      const task = snapshot();
      const failure = { ordinal: 2, deviceName: 'c', protocol: 'mqtt', attempt: 1, runId: 'run' } as const;
      const state = failed(notified(initialState(12), 13), 'stalled', 14);
      await records.importTask({ ...task, deviceUpdates: [...task.deviceUpdates, { ...failure, state }] });
      expect(await records.countFailuresByCause(task.id)).toEqual({ stalled: 1 });
    });

    it('is there with its firmware, claims, device updates and counts', async () => {
      const task = snapshot();
      expect(await records.importTask(task)).toBe(true);
      expect(await records.getTask(task.id)).toMatchObject({
        status: 'running',
        counts: { pending: 1, notified: 1, total: 2 },
        firmware: { id: task.firmware.id, version: '2.0.0' },
      });
      expect(await records.getFirmware(task.firmware.id)).toMatchObject({ verifiedAtMs: 5, status: 'verified' });
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({
        attempt: 2,
        runId: 'run',
        status: 'notified',
      });
      expect(await records.bookkeepingFaults()).toEqual([]);
      expect(await records.undeliveredTask(task.id)).toBeUndefined();
    });

    it.each([
      ['cancelled', 'cancel', (id: string) => records.requestTaskCancel(id, 40)],
      ['ended early', 'end', (id: string) => records.requestVerificationEnd(id, 40)],
    ] as const)('can be %s: the engine is told', async (_, what, request) => {
      const task = { ...snapshot(), kind: 'verification' } as const;
      await records.importTask(task);
      await request(task.id);
      expect(await records.undeliveredTask(task.id)).toMatchObject({ [what]: true, start: false });
      expect(await records.undeliveredTasks(10)).toHaveLength(1);
    });

    it('that was being cancelled need not be told so again, unless somebody asks again', async () => {
      const task = { ...snapshot(), cancelRequestedAtMs: 20 };
      await records.importTask(task);
      expect(await records.undeliveredTask(task.id)).toBeUndefined();
      expect(await records.requestTaskCancel(task.id, 40)).toMatchObject({ cancelRequestedAtMs: 20 });
      expect(await records.undeliveredTask(task.id)).toMatchObject({ cancel: true });
    });

    it('has device updates that can be cancelled, and an approval that can be given', async () => {
      const task = { ...snapshot(), status: 'awaiting-approval', startedBy: 'Ada', needsApproval: true } as const;
      await records.importTask(task);
      const { id } = await records.requestDeviceCancel(task.id, 'a', 40);
      expect(await records.undeliveredDeviceCancels(task.id, 10)).toMatchObject([{ id }]);
      await records.decideTask(task.id, { decision: 'approved', by: 'Bob', remark: '', atMs: 50 });
      expect(await records.undeliveredTask(task.id)).toMatchObject({ approval: { by: 'Bob' } });
    });

    it('holds no source version when its cancellation was asked for: the next batch may be there already', async () => {
      const task = { ...snapshot(), cancelRequestedAtMs: 20 };
      await records.importTask(task);
      expect(await records.listConflicts(task.firmware.productKey, 'default')).toEqual([]);
      expect(await records.bookkeepingFaults()).toEqual([]);
    });

    it('of a verification that reached no device leaves its firmware as it was', async () => {
      const task = { ...snapshot(), kind: 'verification', status: 'completed', endedAtMs: 20 } as const;
      const deviceUpdates = task.deviceUpdates.slice(1);
      await records.importTask({ ...task, deviceUpdates, firmware: { ...task.firmware, verifiedAtMs: null } });
      expect(await records.getFirmware(task.firmware.id)).toMatchObject({ verifiedAtMs: null });
    });

    it('stays as it is when it is imported again', async () => {
      const task = snapshot();
      await records.importTask(task);
      expect(await records.importTask({ ...task, status: 'completed', endedAtMs: 20 })).toBe(false);
      expect((await records.getTask(task.id))?.status).toBe('running');
    });

    it('lets its devices be registered, report and be updated on', async () => {
      const task = snapshot();
      await records.importTask(task);
      const { productKey } = task.firmware;
      const device = { deviceName: 'a', deviceSecret: 'secret-of-a', protocol: 'mqtt' } as const;
      await records.registerDevices(productKey, [device], 30);
      const key = { productKey, deviceName: 'a' };
      expect(await records.progressReported(key, { module: null, step: 5, atMs: 40 })).toBe(true);
      expect(await records.getDeviceUpdate(task.id, 'a')).toMatchObject({ status: 'upgrading', step: 5 });
    });

    it('makes its firmware verified when it is a verification that was completed', async () => {
      const task = { ...snapshot(), kind: 'verification', status: 'completed', endedAtMs: 20 } as const;
      await records.importTask({ ...task, firmware: { ...task.firmware, verifiedAtMs: null } });
      expect(await records.getFirmware(task.firmware.id)).toMatchObject({ verifiedAtMs: 20 });
    });
  });
}
