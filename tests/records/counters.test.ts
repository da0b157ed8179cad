import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failed, initialState } from '../../domain/device-update.js';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { Builder } from './builder.js';

describe('counts that triggers keep', () => {
  let opened: TestRecords;
  let build: Builder;
  let taskId: string;
  beforeEach(async () => {
    opened = await openTestRecords();
    build = new Builder(opened.records);
    await build.product();
    await build.devices(['a', 'b']);
    await build.runs('a', '1.0.0');
    ({ id: taskId } = await build.verification(await build.firmware('2.0.0'), ['a']));
    const key = { productKey: build.productKey, deviceName: 'a' };
    await opened.records.recordDeviceUpdate(taskId, key, failed(initialState(1), 'stalled', 5), 'run');
    await opened.records.deviceConnected(key, 'connection', 6);
  });
  afterEach(() => opened.close());

  const spoil = (sql: string) => {
    const db = new Database(opened.path);
    db.exec(sql);
    db.close();
  };

  it('are right as long as nobody else writes', async () => {
    expect(await opened.records.bookkeepingFaults()).toEqual([]);
  });

  it.each([
    ['too many failures', 'UPDATE failure_counts SET count = 7', 'failure-counts-wrong'],
    ['a failure that is not counted', 'DELETE FROM failure_counts', 'failure-counts-wrong'],
    ['a device that is not counted', 'DELETE FROM device_counts WHERE online = 1', 'device-counts-wrong'],
    ['a device that is gone', 'UPDATE device_counts SET devices = 9 WHERE online = 0', 'device-counts-wrong'],
    [
      'a version that nothing runs',
      "INSERT INTO version_counts VALUES ('gone', 'default', '9', 2)",
      'version-counts-wrong',
    ],
    ['a version that is not counted', 'DELETE FROM version_counts', 'version-counts-wrong'],
  ])('are found with %s, and counted anew', async (_, sql, kind) => {
    const { records } = opened;
    spoil(sql);
    const faults = await records.bookkeepingFaults();
    expect(faults.map((fault) => fault.kind)).toEqual([kind]);
    for (const fault of faults) expect(await records.repairBookkeeping(fault, 7)).toBe(true);
    expect(await records.bookkeepingFaults()).toEqual([]);
    expect(await records.countFailuresByCause(taskId)).toEqual({ stalled: 1 });
    expect(await records.countDevices()).toEqual([{ productKey: build.productKey, online: 1, offline: 1 }]);
    expect((await records.countVersions(build.productKey, 'default', { limit: 10 })).items).toContainEqual({
      version: '1.0.0',
      devices: 1,
    });
  });
});
