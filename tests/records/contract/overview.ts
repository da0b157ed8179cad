import { beforeEach, describe, expect, it } from 'vitest';
import { cancelled, failed, initialState, succeeded, type DeviceUpdateState } from '../../../domain/device-update.js';
import type { Records, TaskRecord } from '../../../records/records.js';
import type { Builder } from '../builder.js';
import type { Ground } from './ground.js';

export function describeOverview(ground: () => Ground): void {
  describe('what operators look at', () => {
    let records: Records;
    let build: Builder;
    beforeEach(() => {
      ({ records, build } = ground());
    });
    const key = (deviceName: string) => ({ productKey: build.productKey, deviceName });
    const record = (task: TaskRecord, deviceName: string, state: DeviceUpdateState) =>
      records.recordDeviceUpdate(task.id, key(deviceName), state, 'run');
    const preview = (firmwareId: string, sourceVersions: string[], deviceNames: string[] | null = null) =>
      records.previewBatch({ ...build.newBatch(firmwareId, sourceVersions), deviceNames });

    it('counts devices by product and by version, the silent ones too', async () => {
      await build.devices(['a', 'b', 'c', 'd']);
      for (const name of ['a', 'b']) await build.runs(name, '1.0');
      await build.runs('c', '2.0');
      await build.runs('d', '9.9', 'other-module');
      await records.deviceConnected(key('a'), 'c1', 1);
      expect(await records.countDevices()).toContainEqual({ productKey: build.productKey, online: 1, offline: 3 });
      expect((await records.countVersions(build.productKey, 'default', { limit: 10 })).items).toEqual([
        { version: '1.0', devices: 2 },
        { version: '2.0', devices: 1 },
        { version: null, devices: 1 },
      ]);
    });

    it('counts versions page by page, most devices first, the silent devices where they belong', async () => {
      await build.devices(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
      for (const [name, version] of [
        ['a', '1'],
        ['b', '2'],
        ['c', '2'],
        ['d', '3'],
        ['e', '2'],
      ] as const) {
        await build.runs(name, version);
      }
      const pages: unknown[] = [];
      let cursor: string | undefined;
      do {
        const page = await records.countVersions(build.productKey, 'default', { limit: 1, cursor });
        pages.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      expect(pages).toEqual([
        { version: '2', devices: 3 },
        { version: null, devices: 2 },
        { version: '3', devices: 1 },
        { version: '1', devices: 1 },
      ]);
    });

    it('counts a device where it is now, however often it came, went and changed its version', async () => {
      await build.devices(['a', 'b']);
      for (const version of ['1.0', '1.0', '1.1', '1.0', '1.1']) await build.runs('a', version);
      await build.runs('b', '1.0');
      for (const connection of ['c1', 'c2', 'c3']) await records.deviceConnected(key('a'), connection, 1);
      await records.deviceDisconnected(key('a'), 'c1', 2);
      await records.deviceConnected(key('b'), 'c4', 2);
      const count = async () =>
        (await records.countDevices()).find(({ productKey }) => productKey === build.productKey);
      expect(await count()).toMatchObject({ online: 2, offline: 0 });
      await records.deviceDisconnected(key('b'), 'c4', 3);
      expect(await count()).toMatchObject({ online: 1, offline: 1 });
      await records.allDevicesDisconnected();
      expect(await count()).toMatchObject({ online: 0, offline: 2 });
      expect((await records.countVersions(build.productKey, 'default', { limit: 10 })).items).toEqual(
        expect.arrayContaining([
          { version: '1.0', devices: 1 },
          { version: '1.1', devices: 1 },
        ]),
      );
    });

    it('says beforehand what a batch would meet', async () => {
      await build.devices(['a', 'b', 'busy', 'other']);
      await records.registerDevices(
        build.productKey,
        [{ deviceName: 'poller', deviceSecret: 'secret-of-poller', protocol: 'http' }],
        1,
      );
      for (const name of ['a', 'b', 'busy', 'poller']) await build.runs(name, '1.0');
      await build.runs('other', '1.1');
      await records.deviceConnected(key('a'), 'c1', 1);
      const verification = await build.verification(await build.firmware('9.0'), ['busy']);
      await record(verification, 'busy', initialState(1));
      const id = await build.verified('2.0');
      expect(await preview(id, ['1.0', '1.1', '0.9'])).toEqual({
        ...{
          devices: 5,
          online: 1,
          offline: 3,
          transient: 1,
          busy: 1,
          conflicts: [],
          unorderedVersions: [],
          refusal: null,
        },
        versions: [
          { version: '1.0', devices: 4 },
          { version: '1.1', devices: 1 },
          { version: '0.9', devices: 0 },
        ],
      });
      expect(await preview(id, ['1.0'], ['a', 'poller'])).toMatchObject({ devices: 2, online: 1, transient: 1 });
      expect(await preview(id, ['1.0'], ['a', 'nobody', 'other'])).toMatchObject({
        devices: 1,
        refusal: { code: 'devices-invalid', extra: { devices: [{ deviceName: 'nobody' }, { deviceName: 'other' }] } },
      });
    });

    it('names the conflict and the refusal that a batch would meet, and records nothing', async () => {
      await build.devices(['a']);
      await build.runs('a', '1.0');
      const first = await build.batch(await build.verified('2.0'), ['1.0']);
      const conflicts = [{ taskId: first.id, firmware: { version: '2.0' }, sourceVersions: ['1.0'] }];
      expect(await preview(await build.verified('3.0'), ['1.0', '1.5'])).toMatchObject({ conflicts, refusal: null });
      expect(await records.listConflicts(build.productKey, 'default')).toMatchObject(conflicts);
      expect(await preview(await build.firmware('4.0'), ['1.0'])).toMatchObject({
        refusal: { code: 'firmware-not-verified' },
      });
      expect(await preview(await build.verified('0.5'), ['1.0'])).toMatchObject({
        refusal: { code: 'downgrade-not-allowed' },
      });
      expect(await preview(await build.verified('5.0'), ['0.7'])).toMatchObject({
        refusal: { code: 'no-target-devices' },
      });
      await expect(preview('nothing', ['1.0'])).rejects.toMatchObject({ code: 'not-found' });
    });

    it('counts what ended over time, and failures by cause over all tasks', async () => {
      await build.devices(['a', 'b', 'c', 'd']);
      const task = await build.verification(await build.firmware('2.0'), ['a', 'b', 'c', 'd']);
      const atMs = 5_000_000_000_000;
      await record(task, 'a', succeeded(initialState(1), atMs));
      await record(task, 'b', failed(initialState(1), 'stalled', atMs + 999));
      await record(task, 'c', failed(initialState(1), 'no-response', atMs + 1_000));
      await record(task, 'd', cancelled(initialState(1), atMs + 2_500, ''));
      expect(await records.countEnded(task.id, atMs, 1_000)).toEqual([
        { span: 0, succeeded: 1, failed: 1, cancelled: 0 },
        { span: 1, succeeded: 0, failed: 1, cancelled: 0 },
        { span: 2, succeeded: 0, failed: 0, cancelled: 1 },
      ]);
      expect(await records.countFailuresSince(atMs)).toHaveLength(2);
      expect(await records.countFailuresSince(atMs + 1_000)).toEqual([{ cause: 'no-response', count: 1 }]);
      const latest = await records.latestFailures(atMs, 10);
      expect(latest.map(({ deviceName }) => deviceName)).toEqual(['c', 'b']);
      const filtered = await records.listDeviceUpdates(task.id, { cause: 'stalled' }, { limit: 10 });
      expect(filtered.items.map(({ deviceName }) => deviceName)).toEqual(['b']);
    });

    it('tells what waits for a person: firmware to validate, failures to re-initiate', async () => {
      await build.devices(['a']);
      const id = await build.firmware('2.0');
      const toValidate = async () => (await records.firmwareToValidate(100)).map((one) => one.id);
      expect(await toValidate()).toContain(id);
      const task = await build.verification(id, ['a']);
      expect(await toValidate()).not.toContain(id);
      await record(task, 'a', failed(initialState(1), 'stalled', 2));
      const waiting = async () => (await records.tasksToReinitiate(0, 100)).map((one) => one.id);
      expect(await waiting()).not.toContain(task.id);
      await records.taskEnded(task.id, 'completed', 3);
      expect(await waiting()).toContain(task.id);
      const again = { id: build.id('task'), reinitiates: task.id, deviceNames: null, createdAtMs: 4, startedBy: 'Li' };
      expect((await records.reinitiateTask(again)).value.startedBy).toBe('Li');
      expect(await waiting()).not.toContain(task.id);
      expect((await records.getTask(task.id))?.startedBy).toBeNull();
    });
  });
}
