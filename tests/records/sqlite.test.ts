import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { failed, initialState, notified } from '../../domain/device-update.js';
import type { Records } from '../../records/records.js';
import { LOG_BYTES_MAX } from '../../records/sqlite/connection.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { openTestRecords, testSealer } from '../support/records.js';
import { Builder } from './builder.js';
import { describeRecords } from './contract.js';

describeRecords('SQLite', async () => {
  const { records, path, close } = await openTestRecords();
  return { records, close, again: async () => openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer }) };
});

describe('a database file', () => {
  it('that can’t be opened or is no database is refused, by its name', async () => {
    expect(() =>
      openSqliteRecords({ path: '/nonexistent/ferry.db', synchronous: 'normal', sealer: testSealer }),
    ).toThrow('/nonexistent/ferry.db');
    const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
    const path = join(folder, 'ferry.db');
    await writeFile(path, 'this is no database, but long enough to be taken for one'.repeat(20));
    expect(() => openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer })).toThrow(path);
    await rm(folder, { recursive: true });
  });

  it('keeps everything over a restart', async () => {
    const { records, path, close } = await openTestRecords();
    const build = new Builder(records);
    await build.product();
    const id = await build.firmware('2.0.0');
    await records.close();
    const reopened = openSqliteRecords({ path, synchronous: 'full', sealer: testSealer });
    expect(await reopened.getFirmware(id)).toMatchObject({ version: '2.0.0' });
    await reopened.close();
    await close();
  });

  it('refuses writes that it can’t commit, each with an error, and goes on afterwards', async () => {
    const { records, path, close } = await openTestRecords();
    const build = new Builder(records);
    await build.product();
    const other = new Database(path, { timeout: 0 });
    other.exec('BEGIN IMMEDIATE');
    const blocked = await Promise.allSettled([build.devices(['a']), build.devices(['b'])]);
    expect(blocked.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    other.exec('ROLLBACK');
    other.close();
    await build.devices(['a']);
    expect(await records.getDevice({ productKey: build.productKey, deviceName: 'a' })).toBeDefined();
    await close();
  });

  it('whose log a long reader keeps from being written back forgets nothing until the reader is done', async () => {
    const { records, path, close } = await openTestRecords();
    const build = new Builder(records);
    await build.product();
    await build.devices(['a']);
    const { id } = await build.verification(await build.firmware('2.0.0'), ['a']);
    await records.taskEnded(id, 'cancelled', 100);
    const piece = { endedBeforeMs: 200, atMs: 300, rowsMax: 10 };
    const reader = new Database(path);
    reader.exec('BEGIN');
    reader.prepare('SELECT count(*) FROM tasks').get();
    await records.setting('large', () => 'x'.repeat(LOG_BYTES_MAX));
    expect(await records.forgetTasks(piece)).toEqual({ tasks: 0, deviceUpdates: 0, more: true });
    reader.close();
    expect(await records.forgetTasks(piece)).toEqual({ tasks: 1, deviceUpdates: 1, more: false });
    expect((await stat(`${path}-wal`)).size).toBeLessThanOrEqual(LOG_BYTES_MAX);
    await close();
  });

  it('that is full refuses the writes with one clear error, keeps none of them, and goes on once there is room', async () => {
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    const { records, close } = await openTestRecords();
    const db = pragma.mock.contexts[0] as Database.Database;
    pragma.mockRestore();
    const build = new Builder(records);
    await build.product();
    db.pragma(`max_page_count = ${Number(db.pragma('page_count', { simple: true }))}`);
    const names = Array.from({ length: 3_000 }, (_, i) => `lamp-${i}`);
    const results = await Promise.allSettled([build.devices(['first']), build.devices(names)]);
    const reason = {
      name: 'FerryError',
      message: expect.stringMatching(
        /^Nothing of this request is kept, since the disk can't be written \(.*full/,
      ) as unknown,
    };
    expect(results).toMatchObject([
      { status: 'rejected', reason },
      { status: 'rejected', reason },
    ]);
    expect((await records.listDevices(build.productKey, {}, { limit: 1 })).items).toEqual([]);
    db.pragma('max_page_count = 1000000');
    await build.devices(['first']);
    await close();
  });

  it('answers every list and look-up from an index, however long its tables and deep the page', async () => {
    const prepared = vi.spyOn(Database.prototype, 'prepare');
    const { records, path, close } = await openTestRecords();
    await useEverything(records);
    const texts = new Set(prepared.mock.calls.map(([text]) => text));
    prepared.mockRestore();
    const db = new Database(path);
    const plans = [...texts].filter((text) => /^\s*(select|update|delete)/i.test(text)).map((text) => planOf(db, text));
    expect(plans.length).toBeGreaterThan(40);
    // Scanned are only what is small (products, firmware) and indexes that hold nothing but what is asked for or counted.
    const scans = plans.flatMap(({ text, steps }) =>
      steps.filter((step) => LONG_SCAN.test(step)).map((step) => ({ step, text })),
    );
    expect(scans).toEqual([]);
    const paged = plans.filter(({ text }) => LONG_TABLE.test(text) && CURSOR.test(text));
    expect(paged.length).toBeGreaterThan(8);
    for (const { text, steps } of paged) {
      const plan = steps.join('; ');
      // The cursor is sought in the index; or the few rows that fit are looked up one by one.
      expect(plan, text).toMatch(/[<>]\(?\?|LIST SUBQUERY|autoindex_tasks_1 \(id=\?\)/);
      expect(plan, text).not.toMatch(/SCAN|TEMP B-TREE/);
    }
    db.close();
    await close();
  });
});

const LONG_TABLE = /from "(tasks|devices|device_updates)"/;
/** A comparison of order: only cursors and ranges have one. */
const CURSOR = / [<>] \(?\?/;
const LONG_SCAN =
  /SCAN (tasks|devices|device_updates|device_versions|claims|idempotency_keys)(?! USING (INDEX (tasks_by_age|device_updates_to_cancel|device_updates_failing)|COVERING INDEX devices_by_online))/;

function planOf(db: Database.Database, text: string) {
  const bound = (text.match(/\?/g) ?? []).map(() => 1);
  const steps = (db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...bound) as { detail: string }[]).map(
    ({ detail }) => detail,
  );
  return { text, steps };
}

/** Calls every method of the records, each list from its start and from a cursor, with every filter. */
async function useEverything(records: Records): Promise<void> {
  const build = new Builder(records);
  await build.product();
  await build.devices(['a', 'b']);
  await build.runs('a', '1.0.0');
  const [key, once] = [
    { productKey: build.productKey, deviceName: 'a' },
    { key: 'k', fingerprint: 'f' },
  ];
  const id = await build.verified('2.0.0');
  const task = await build.batch(id, ['1.0.0']);
  await build.batch(await build.verified('3.0.0'), ['1.0.0']).catch(() => undefined);
  await records.deviceConnected(key, 'c', 1);
  const { id: updateId } = await records.recordDeviceUpdate(task.id, key, notified(initialState(1), 2), 'run');
  await records.progressReported(key, { module: null, step: 1, atMs: 3 });
  await records.failureReported(key, { module: null, cause: 'stalled', description: '', atMs: 3 });
  await records.signalled(updateId, 'online', 4);
  await records.requestDeviceCancel(task.id, 'a', 4);
  await records.taskBegun(task.id, 'run', 1);
  await records.requestTaskCancel(task.id, 4);

  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1, 'x') }]) {
    await records.listProducts(page);
    await records.listFirmware({}, page);
    await records.listFirmware({ productKey: build.productKey }, page);
    for (const filter of [
      {},
      { firmwareId: id },
      { productKey: build.productKey },
      { status: 'running' },
      { kind: 'batch' },
    ] as const) {
      await records.listTasks(filter, page);
    }
  }
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf('x') }]) {
    for (const filter of [{}, { version: '1.0.0' }, { online: true }, { search: 'a' }]) {
      await records.listDevices(build.productKey, filter, page);
    }
  }
  for (const page of [{ limit: 2 }, { limit: 2, cursor: cursorOf(1) }]) {
    await records.listDeviceHistory(key, page);
    for (const filter of [
      {},
      { status: 'pending' },
      { outcome: 'failed' },
      { cause: 'stalled' },
      { search: 'a' },
    ] as const) {
      await records.listDeviceUpdates(task.id, filter, page);
    }
  }
  await records.getProduct(build.productKey);
  await records.getDevice(key);
  await records.deviceSecret(key);
  await records.getTask(task.id);
  await records.getDeviceUpdateById(updateId);
  await records.openDeviceUpdate(key, null);
  await records.pendingOnlineUpdates(2);
  await records.unsignalledFailures(2);
  await records.countFailuresByCause(task.id);
  await records.countVersions(build.productKey, 'default');
  await records.countDevices();
  await records.listConflicts(build.productKey, 'default');
  const batch = { firmwareId: id, sourceVersions: ['1.0.0'], policy: task.policy };
  await records.previewBatch({ ...batch, deviceNames: null });
  await records.previewBatch({ ...batch, deviceNames: ['a'] });
  await records.countEnded(task.id, 0, 1);
  await records.countFailuresSince(0);
  await records.latestFailures(0, 2);
  await records.tasksToReinitiate(0, 2);
  await records.firmwareToValidate(2);
  const session = { hash: 's', principal: 'admin', credential: 'c', createdAtMs: 1, expiresAtMs: 9 };
  await records.addSession(session);
  await records.addSignInLink('l', 9);
  await records.redeemSignInLink('l', { ...session, hash: 't' });
  await records.getSession('s', 2);
  await records.endSession('s');
  await records.forgetSessions(10);
  await records.loadShard(task.id, 0, 2);
  await records.undeliveredTasks(2);
  await records.undeliveredTask(task.id);
  await records.undeliveredDeviceCancels(2);
  await records.changesSince(0, null, 2);
  await records.changesSince(0, task.id, 2);
  await records.delivered(task.id, 'cancel');
  await records.deviceCancelDelivered(updateId);
  await records.deleteFirmware(id, 5).catch(() => undefined);
  await records.recordDeviceUpdate(task.id, key, failed(initialState(1), 'stalled', 5), 'run');
  await records.taskEnded(task.id, 'cancelled', 6);
  const again = { id: 'again', reinitiates: task.id, deviceNames: null, createdAtMs: 7, idempotency: once };
  await records.reinitiateTask(again);
  await records.reinitiateTask(again);
  await records.deviceDisconnected(key, 'c', 8);
  await records.allDevicesDisconnected();
  await records.forgetIdempotencyKeys(1);
  await records.engineRestored(1);
  await records.restorePoint();
  await records.engineCaughtUp();
}

const cursorOf = (...key: (string | number)[]) => Buffer.from(JSON.stringify(key)).toString('base64url');
