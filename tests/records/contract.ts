import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cancelled,
  failed,
  initialState,
  notified,
  progressed,
  succeeded,
  unreachable,
  type DeviceUpdateState,
} from '../../domain/device-update.js';
import { FerryError, type ErrorCode } from '../../domain/errors.js';
import type { DeviceUpdateRecord, Page, PageRequest, Records, TaskRecord } from '../../records/records.js';
import { Builder } from './builder.js';

export interface OpenRecords {
  readonly records: Records;
  /** A second look at the same database, as another process has it. */
  again(): Promise<Records>;
  close(): Promise<void>;
}

/** What every dialect of the records must do. */
export function describeRecords(dialect: string, open: () => Promise<OpenRecords>): void {
  describe(`the records (${dialect})`, () => {
    let opened: OpenRecords;
    let records: Records;
    let build: Builder;
    beforeEach(async () => {
      opened = await open();
      records = opened.records;
      build = new Builder(records);
      await build.product();
    });
    afterEach(() => opened.close());

    const all = async <T>(list: (page: PageRequest) => Promise<Page<T>>, limit = 3): Promise<T[]> => {
      const items: T[] = [];
      let cursor: string | null | undefined;
      do {
        const page = await list({ limit, cursor: cursor ?? undefined });
        items.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null);
      return items;
    };
    const updatesOf = (task: TaskRecord) => all((page) => records.listDeviceUpdates(task.id, {}, page), 100);

    describe('products and devices', () => {
      it('register all devices of a request or none, naming those that exist', async () => {
        await build.devices(['a', 'b']);
        await expect(build.devices(['c', 'b', 'a'])).rejects.toMatchObject({
          code: 'device-exists',
          extra: { deviceNames: ['b', 'a'] },
        });
        expect(await records.getDevice({ productKey: build.productKey, deviceName: 'c' })).toBeUndefined();
      });

      it('refuse a product key that exists, and devices of a product that does not', async () => {
        const product = { productKey: build.productKey, name: 'x', createdAtMs: 1 };
        await expect(records.createProduct(product)).rejects.toMatchObject({ code: 'product-exists' });
        await expect(records.registerDevices('nobody', [], 1)).rejects.toMatchObject({ code: 'not-found' });
      });

      it('answer a repeated registration with the secrets of the first', async () => {
        const key = { key: 'k1', fingerprint: 'f1' };
        const device = { deviceName: 'a', deviceSecret: 'first-secret', protocol: 'mqtt' as const };
        await records.registerDevices(build.productKey, [device], 1, key);
        const other = { ...device, deviceSecret: 'second-secret' };
        expect(await records.registerDevices(build.productKey, [other], 2, key)).toEqual({
          value: [device],
          replayed: true,
        });
        await expect(
          records.registerDevices(build.productKey, [device], 2, { ...key, fingerprint: 'f2' }),
        ).rejects.toMatchObject({ code: 'idempotency-key-reused' });
      });

      it('keep a device online when an older connection of it ends', async () => {
        await build.devices(['a']);
        const key = { productKey: build.productKey, deviceName: 'a' };
        await records.deviceConnected(key, 'first', 1);
        await records.deviceConnected(key, 'second', 2);
        await records.deviceDisconnected(key, 'first', 3);
        expect(await records.getDevice(key)).toMatchObject({ online: true, lastSeenAtMs: 2 });
        await records.deviceDisconnected(key, 'second', 4);
        expect(await records.getDevice(key)).toMatchObject({ online: false, lastSeenAtMs: 4 });
      });

      it('keep the version of each module, and list by version, presence and part of the name', async () => {
        await build.devices(['lamp-1', 'lamp-2', 'pump-1']);
        await build.runs('lamp-1', '1.0.0');
        await build.runs('lamp-1', '7', 'mcu');
        await build.runs('lamp-2', '1.1.0');
        await records.deviceConnected({ productKey: build.productKey, deviceName: 'lamp-2' }, 'c', 1);
        const names = async (filter: Parameters<Records['listDevices']>[1]) =>
          (await all((page) => records.listDevices(build.productKey, filter, page), 1)).map(
            ({ deviceName }) => deviceName,
          );
        expect(await names({})).toEqual(['lamp-1', 'lamp-2', 'pump-1']);
        expect(await names({ version: '1.0.0' })).toEqual(['lamp-1']);
        expect(await names({ version: '7', module: 'mcu' })).toEqual(['lamp-1']);
        expect(await names({ online: true })).toEqual(['lamp-2']);
        expect(await names({ online: false, search: 'pump' })).toEqual(['pump-1']);
        expect(await records.getDevice({ productKey: build.productKey, deviceName: 'lamp-1' })).toMatchObject({
          version: '1.0.0',
          modules: expect.arrayContaining([expect.objectContaining({ module: 'mcu', version: '7' })]) as unknown,
        });
      });

      it('know nothing of a stranger’s version report', async () => {
        const stranger = { productKey: build.productKey, deviceName: 'stranger' };
        expect(await records.versionReported(stranger, { module: 'default', version: '1', atMs: 1 })).toBeUndefined();
        expect(await records.getDevice(stranger)).toBeUndefined();
      });
    });

    describe('firmware', () => {
      it('takes exactly 100 of 150 simultaneous ones, deleted ones counted [seed: add]', async () => {
        const first = await build.firmware('0.0.1');
        await records.deleteFirmware(first, 1);
        const added = await Promise.allSettled(Array.from({ length: 150 }, (_, i) => build.firmware(`1.0.${i}`, 100)));
        const codes = added.map((result) =>
          result.status === 'rejected' ? (result.reason as FerryError).code : 'added',
        );
        expect(codes.filter((code) => code === 'added')).toHaveLength(99);
        expect(new Set(codes)).toEqual(new Set(['added', 'firmware-quota-exceeded']));
        expect(await records.countFirmware()).toBe(100);
      });

      it('has a version once per product and module; a deleted one gives it free', async () => {
        const first = await build.firmware('2.0.0');
        await expect(build.firmware('2.0.0')).rejects.toMatchObject({ code: 'firmware-version-exists' });
        await records.deleteFirmware(first, 5);
        await expect(build.firmware('2.0.0')).resolves.not.toBe(first);
        expect(await records.getFirmware(first)).toMatchObject({ deletedAtMs: 5 });
        expect((await records.listFirmware({}, { limit: 10 })).items.map(({ id }) => id)).not.toContain(first);
      });

      it('is not deleted while an open task uses it', async () => {
        await build.devices(['a']);
        const id = await build.firmware('2.0.0');
        const task = await build.verification(id, ['a']);
        await expect(records.deleteFirmware(id, 5)).rejects.toMatchObject({
          code: 'firmware-in-use',
          extra: { taskIds: [task.id] },
        });
        await records.taskEnded(task.id, 'cancelled', 6);
        await expect(records.deleteFirmware(id, 7)).resolves.toMatchObject({ deletedAtMs: 7 });
      });

      it('goes unverified, verifying, verified, and stays so [seed: validate]', async () => {
        await build.devices(['a']);
        const id = await build.firmware('2.0.0');
        const status = async () => (await records.getFirmware(id))?.status;
        expect(await status()).toBe('unverified');
        const cancelledOne = await build.verification(id, ['a']);
        expect(await status()).toBe('verifying');
        await records.taskEnded(cancelledOne.id, 'cancelled', 2);
        expect(await status()).toBe('unverified');
        await records.taskEnded((await build.verification(id, ['a'])).id, 'completed', 3);
        expect(await status()).toBe('verified');
        await records.taskEnded((await build.verification(id, ['a'])).id, 'cancelled', 4);
        expect(await records.getFirmware(id)).toMatchObject({ status: 'verified', verifiedAtMs: 3 });
      });
    });

    describe('creating a task', () => {
      beforeEach(async () => {
        await build.devices(['a', 'b', 'c', 'unknown-version']);
        await build.runs('a', '1.0.0');
        await build.runs('b', '1.0.0');
        await build.runs('c', '1.1.0');
      });

      it('takes every device that runs one of the source versions, in the order of names', async () => {
        const task = await build.batch(await build.verified('2.0.0'), ['1.0.0', '1.1.0']);
        const updates = await updatesOf(task);
        expect(updates.map(({ deviceName, ordinal }) => [deviceName, ordinal])).toEqual([['a', 0], ['b', 1], ['c', 2]]); // prettier-ignore
        expect(task.counts).toMatchObject({ pending: 3, total: 3 });
      });

      it('lets exactly one of 50 simultaneous batches name a version; each refusal names the winner [seed: conflict]', async () => {
        const ids = await Promise.all(Array.from({ length: 50 }, (_, i) => build.verified(`2.0.${i}`)));
        const results = await Promise.allSettled(
          ids.map((id, i) => build.batch(id, i % 2 === 0 ? ['1.0.0'] : ['1.0.0', '1.1.0'])),
        );
        const won = results.filter((result) => result.status === 'fulfilled');
        expect(won).toHaveLength(1);
        const winner = won[0]?.value as TaskRecord;
        for (const result of results.filter((result) => result.status === 'rejected')) {
          const refusal = result.reason as FerryError;
          expect(refusal.code).toBe('update-task-conflict');
          expect(refusal.extra.conflicts).toMatchObject([{ taskId: winner.id, firmware: { id: winner.firmware.id } }]);
          expect(refusal.message).toContain(winner.id);
        }
        expect((await all((page) => records.listTasks({ kind: 'batch' }, page), 100)).map(({ id }) => id)).toEqual([
          winner.id,
        ]);
      });

      it('refuses A→C while A→B is open, and takes it when that has ended', async () => {
        const first = await build.batch(await build.verified('2.0.0'), ['1.0.0']);
        const other = await build.verified('3.0.0');
        await expect(build.batch(other, ['1.1.0', '1.0.0'])).rejects.toMatchObject({
          code: 'update-task-conflict',
          extra: { conflicts: [{ taskId: first.id, sourceVersions: ['1.0.0'] }] },
        });
        await expect(build.batch(other, ['1.1.0'])).resolves.toMatchObject({ sourceVersions: ['1.1.0'] });
        await records.taskEnded(first.id, 'completed', 9);
        await expect(build.batch(await build.verified('4.0.0'), ['1.0.0'])).resolves.toBeDefined();
      });

      it('lets another product, another module and verifications name what they like', async () => {
        await build.batch(await build.verified('2.0.0'), ['1.0.0']);
        await expect(build.verification(await build.firmware('3.0.0'), ['a'])).resolves.toBeDefined();
        await build.runs('a', '1.0.0', 'mcu');
        await expect(build.batch(await build.verified('2.0.0', 'mcu'), ['1.0.0'])).resolves.toBeDefined();
        const elsewhere = new Builder(records);
        await elsewhere.product();
        await elsewhere.devices(['a']);
        await elsewhere.runs('a', '1.0.0');
        await expect(elsewhere.batch(await elsewhere.verified('2.0.0'), ['1.0.0'])).resolves.toBeDefined();
      });

      const refused = async (
        creation: Promise<unknown>,
      ): Promise<{ code: ErrorCode; extra: unknown; message: string }> => {
        const error: unknown = await creation.catch((e: unknown) => e);
        expect(error).toBeInstanceOf(FerryError);
        return error as FerryError;
      };

      it('refuses a firmware that is not verified, deleted or unknown', async () => {
        expect(await refused(build.batch(await build.firmware('2.0.0'), ['1.0.0']))).toMatchObject({
          code: 'firmware-not-verified',
        });
        const deleted = await build.verified('3.0.0');
        await records.deleteFirmware(deleted, 1);
        expect(await refused(build.batch(deleted, ['1.0.0']))).toMatchObject({ code: 'firmware-deleted' });
        expect(await refused(build.verification('nobody', ['a']))).toMatchObject({ code: 'not-found' });
      });

      it('refuses listed devices one by one: unknown, twice, on another version, without a version', async () => {
        const id = await build.verified('2.0.0');
        const names = ['a', 'a', 'c', 'nobody', 'unknown-version'];
        const { extra } = await refused(build.batch(id, ['1.0.0'], names));
        expect(extra).toEqual({
          devices: [
            { deviceName: 'a', problem: 'is listed twice' },
            { deviceName: 'c', problem: expect.stringContaining('1.1.0') as unknown },
            { deviceName: 'nobody', problem: 'does not exist' },
            { deviceName: 'unknown-version', problem: expect.stringContaining('not reported') as unknown },
          ],
        });
        await expect(build.verification(id, ['unknown-version'])).resolves.toBeDefined();
      });

      it('refuses a downgrade unless the policy allows it, the own version, no version and no device', async () => {
        const id = await build.verified('1.0.5');
        expect(await refused(build.batch(id, ['1.1.0']))).toMatchObject({ code: 'downgrade-not-allowed' });
        expect(await refused(build.verification(id, ['c']))).toMatchObject({ code: 'downgrade-not-allowed' });
        expect(await refused(build.batch(id, ['1.0.5']))).toMatchObject({ code: 'invalid-request' });
        expect(await refused(build.batch(id, []))).toMatchObject({ code: 'invalid-request' });
        expect(await refused(build.batch(id, ['0.1']))).toMatchObject({ code: 'no-target-devices' });
        expect(await refused(build.verification(id, []))).toMatchObject({ code: 'invalid-request' });
        await expect(build.batch(id, ['1.1.0'], null, { allowDowngrade: true })).resolves.toBeDefined();
      });

      it('leaves nothing behind when it is refused: no task, no claim, no device update', async () => {
        const id = await build.verified('2.0.0');
        await refused(build.batch(id, ['1.0.0'], ['a', 'nobody']));
        await refused(build.batch(id, ['0.1', '1.0.0'], ['nobody']));
        expect((await records.listTasks({ kind: 'batch' }, { limit: 10 })).items).toEqual([]);
        await expect(build.batch(id, ['0.1', '1.0.0'])).resolves.toBeDefined();
      });

      it('answers the same idempotency key with the same task', async () => {
        const id = await build.verified('2.0.0');
        const idempotency = { key: 'once', fingerprint: 'f' };
        const [first, second] = await Promise.all([
          records.createTask({ ...build.newBatch(id, ['1.0.0']), idempotency }),
          records.createTask({ ...build.newBatch(id, ['1.0.0']), idempotency }),
        ]);
        expect(second).toEqual({ value: first.value, replayed: true });
      });

      it('copes with 100,000 devices', async () => {
        const names = Array.from({ length: 100_000 }, (_, i) => `big-${String(i).padStart(6, '0')}`);
        await build.devices(names);
        await Promise.all(names.map((name) => build.runs(name, '9.0.0')));
        const task = await build.batch(await build.verified('10.0.0'), ['9.0.0']);
        expect(task.counts).toMatchObject({ pending: 100_000, total: 100_000 });
        const shard = await records.loadShard(task.id, 99_900, 100_100);
        expect(shard.map(({ deviceName }) => deviceName)).toEqual(names.slice(99_900));
      });
    });

    describe('a device update', () => {
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
        expect(await records.progressReported(key(), { module: null, step: 10, atMs: 2 })).toBeUndefined();
        const told = notified(initialState(1), 3);
        await record(told);
        await records.progressReported(key(), { module: 'default', step: 40, atMs: 4 });
        await records.progressReported(key(), { module: null, step: 20, atMs: 5 });
        expect(await records.progressReported(key(), { module: 'mcu', step: 90, atMs: 6 })).toBeUndefined();
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
        expect(await records.unsignalledFailures(10)).toMatchObject([{ record: { id } }]);
        await records.signalled(id, 'failure', 7);
        expect(await records.unsignalledFailures(10)).toEqual([]);
      });

      it('remembers what the engine was told', async () => {
        const { id } = await record(notified(initialState(1), 2));
        await records.signalled(id, 'progress', 3);
        await records.signalled(id, 'online', 4);
        await records.signalled(id, 'online', 5);
        expect(await records.getDeviceUpdateById(id)).toMatchObject({
          progressSignalled: true,
          hundredSignalled: false,
          onlineSignals: 2,
          onlineSignalledAtMs: 5,
        });
        await records.signalled(id, 'hundred', 6);
        expect(await records.getDeviceUpdateById(id)).toMatchObject({ hundredSignalled: true });
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

      it('is committed when its promise resolves: another process sees it at once', async () => {
        const other = await opened.again();
        await record(notified(initialState(1), 2));
        expect(await other.getDeviceUpdate(task.id, 'a')).toMatchObject({ status: 'notified' });
        await other.close();
      });

      it('is in the history of its device, newest first', async () => {
        await records.taskEnded(task.id, 'completed', 2);
        const second = await build.verification(task.firmware.id, ['a']);
        const history = await all((page) => records.listDeviceHistory(key(), page), 1);
        expect(history.map(({ taskId }) => taskId)).toEqual([second.id, task.id]);
      });
    });

    describe('counts', () => {
      type Step = (state: DeviceUpdateState, atMs: number) => DeviceUpdateState;
      const steps: Record<string, Step> = {
        notified,
        unreachable,
        progressed: (state, atMs) => progressed(state, atMs % 101, atMs),
        succeeded: (state, atMs) => succeeded(state, atMs),
        failed: (state, atMs) => failed(state, 'stalled', atMs),
        cancelled: (state, atMs) => cancelled(state, atMs, 'by hand'),
      };

      it('equal the rows after any events, and each failure is counted under its cause', async () => {
        const names = ['a', 'b', 'c', 'd'];
        await build.devices(names);
        const id = await build.firmware('2.0.0');
        const event = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...Object.keys(steps)));
        await fc.assert(
          fc.asyncProperty(fc.array(event, { maxLength: 25 }), async (events) => {
            const task = await build.verification(id, names);
            const states = new Map(names.map((name) => [name, initialState(1)]));
            await Promise.all(
              events.map(([deviceName, step], i) => {
                const state = (steps[step] as Step)(states.get(deviceName) ?? initialState(1), i + 2);
                states.set(deviceName, state);
                return records.recordDeviceUpdate(task.id, { productKey: build.productKey, deviceName }, state, 'run');
              }),
            );
            const rows = await updatesOf(task);
            const count = (wanted: (row: DeviceUpdateRecord) => boolean) => rows.filter(wanted).length;
            const counts = {
              pending: count(({ status }) => status === 'pending'),
              notified: count(({ status }) => status === 'notified'),
              upgrading: count(({ status }) => status === 'upgrading'),
              succeeded: count(({ outcome }) => outcome === 'succeeded'),
              failed: count(({ outcome }) => outcome === 'failed'),
              cancelled: count(({ status }) => status === 'cancelled'),
              total: names.length,
            };
            expect((await records.getTask(task.id))?.counts).toEqual(counts);
            expect(await records.countFailuresByCause(task.id)).toEqual(
              counts.failed > 0 ? { stalled: counts.failed } : {},
            );
            await records.taskEnded(task.id, 'completed', 99);
          }),
          { numRuns: 40 },
        );
      });
    });

    describe('ending and re-initiating', () => {
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

      it('re-initiates all failed devices, linked, with the attempt counted on, old records as they were', async () => {
        await records.taskEnded(task.id, 'completed', 7);
        const before = await updatesOf(task);
        const { value: second } = await again(null);
        expect(second).toMatchObject({
          reinitiates: task.id,
          kind: 'batch',
          sourceVersions: ['1.0.0'],
          counts: { total: 2 },
        });
        expect((await updatesOf(second)).map(({ deviceName, attempt }) => [deviceName, attempt])).toEqual([['b', 2], ['c', 2]]); // prettier-ignore
        expect(await updatesOf(task)).toEqual(before);

        task = second;
        await end('c', failed(initialState(60), 'stalled', 61));
        await records.taskEnded(second.id, 'completed', 62);
        const { value: third } = await again(['c'], second.id);
        expect(await updatesOf(third)).toMatchObject([{ deviceName: 'c', attempt: 3 }]);
      });

      it('refuses an open task, devices that have not failed, and one without failures', async () => {
        await expect(again(null)).rejects.toMatchObject({ code: 'task-not-ended' });
        await records.taskEnded(task.id, 'completed', 7);
        await expect(again(['a', 'b'])).rejects.toMatchObject({
          code: 'devices-invalid',
          extra: { devices: [{ deviceName: 'a' }] },
        });
        const { value: second } = await again(null);
        await records.taskEnded(second.id, 'cancelled', 70);
        await expect(again(null, second.id)).rejects.toMatchObject({ code: 'nothing-to-reinitiate' });
      });

      it('takes its claims again, and so can conflict', async () => {
        await records.taskEnded(task.id, 'completed', 7);
        const other = await build.batch(await build.verified('3.0.0'), ['1.0.0']);
        await expect(again(null)).rejects.toMatchObject({ extra: { conflicts: [{ taskId: other.id }] } });
      });
    });

    describe('the outbox', () => {
      let task: TaskRecord;
      beforeEach(async () => {
        await build.devices(['a']);
        task = await build.verification(await build.firmware('2.0.0'), ['a']);
      });

      it('holds a start until it is delivered or has shown itself', async () => {
        expect(await records.undeliveredTasks(10)).toMatchObject([
          { task: { id: task.id }, start: true, cancel: false },
        ]);
        await records.delivered(task.id, 'start');
        expect(await records.undeliveredTasks(10)).toEqual([]);
      });

      it('holds a cancel and an end until they are delivered, or the task has ended', async () => {
        await records.taskBegun(task.id, 'run', 2);
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

      it('holds the cancel of a device update that has begun', async () => {
        const { id } = await records.requestDeviceCancel(task.id, 'a', 3);
        expect(await records.undeliveredDeviceCancels(10)).toEqual([]);
        await records.recordDeviceUpdate(
          task.id,
          { productKey: build.productKey, deviceName: 'a' },
          initialState(4),
          'run',
        );
        expect(await records.undeliveredDeviceCancels(10)).toMatchObject([{ id, runId: 'run' }]);
        await records.deviceCancelDelivered(id);
        expect(await records.undeliveredDeviceCancels(10)).toEqual([]);
      });
    });

    describe('changes', () => {
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
        const stop = records.onChange((taskIds) => told.push(...taskIds));
        const task = await build.verification(id, ['a']);
        stop();
        await records.requestTaskCancel(task.id, 1);
        expect(told).toEqual([task.id]);
      });
    });

    describe('lists', () => {
      it('miss and repeat nothing when rows are added between pages', async () => {
        await build.devices(['b', 'd', 'f']);
        const first = await records.listDevices(build.productKey, {}, { limit: 2 });
        await build.devices(['a', 'e']);
        const rest = await records.listDevices(
          build.productKey,
          {},
          { limit: 10, cursor: first.nextCursor ?? undefined },
        );
        expect([...first.items, ...rest.items].map(({ deviceName }) => deviceName)).toEqual(['b', 'd', 'e', 'f']);
        expect(rest.nextCursor).toBeNull();
      });

      it.each(['x', 'W10', 'eyJhIjoxfQ', Buffer.from('["a","b"]').toString('base64url')])(
        'refuse the cursor %j, which they did not give',
        async (cursor) => {
          const refusal = { code: 'invalid-request', extra: { errors: [{ field: 'cursor' }] } };
          await expect(records.listDeviceUpdates('t', {}, { limit: 1, cursor })).rejects.toMatchObject(refusal);
          await expect(records.listTasks({}, { limit: 1, cursor })).rejects.toMatchObject(refusal);
        },
      );

      it('are filtered by status, outcome and part of the name', async () => {
        await build.devices(['a-1', 'a-2', 'b-1']);
        const task = await build.verification(await build.firmware('2.0.0'), ['a-1', 'a-2', 'b-1']);
        const key = { productKey: build.productKey, deviceName: 'a-1' };
        await records.recordDeviceUpdate(task.id, key, failed(initialState(1), 'stalled', 2), 'r');
        const names = async (filter: Parameters<Records['listDeviceUpdates']>[1]) =>
          (await all((page) => records.listDeviceUpdates(task.id, filter, page), 1)).map(
            ({ deviceName }) => deviceName,
          );
        expect(await names({ outcome: 'failed' })).toEqual(['a-1']);
        expect(await names({ status: 'pending' })).toEqual(['a-2', 'b-1']);
        expect(await names({ search: 'a-' })).toEqual(['a-1', 'a-2']);
        expect(await names({ status: 'pending', search: '%' })).toEqual([]);
      });
    });

    it('keep a setting once it is made', async () => {
      expect(await records.setting('key', () => 'first')).toBe('first');
      expect(await records.setting('key', () => 'second')).toBe('first');
    });
  });
}
