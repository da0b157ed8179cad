import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { describe, expect, it, vi } from 'vitest';
import { LOG_BYTES_MAX } from '../../records/sqlite/connection.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { openTestRecords, testSealer } from '../support/records.js';
import { Builder } from './builder.js';

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

  it('of an older release has its devices, failures and verifications counted when it is opened', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
    const older = join(folder, 'migrations');
    await cp(join(PROJECT_FOLDER, 'records', 'migrations'), older, { recursive: true });
    const journal = join(older, 'meta', '_journal.json');
    const { entries, ...rest } = JSON.parse(await readFile(journal, 'utf8')) as { entries: { tag: string }[] };
    const before = entries.slice(
      0,
      entries.findIndex(({ tag }) => tag.endsWith('_reads')),
    );
    await writeFile(journal, JSON.stringify({ ...rest, entries: before }));
    const path = join(folder, 'ferry.db');
    const db = new Database(path);
    migrate(drizzle(db), { migrationsFolder: older });
    db.exec(`INSERT INTO products (product_key, name, created_at_ms) VALUES ('p', 'P', 1);
      INSERT INTO devices (product_key, device_name, device_secret, protocol, online, created_at_ms)
        VALUES ('p', 'a', 's', 'mqtt', 1, 1), ('p', 'b', 's', 'mqtt', 0, 1);
      INSERT INTO device_versions VALUES ('p', 'a', 'default', '1.0', 1), ('p', 'b', 'default', '1.0', 1);
      INSERT INTO firmware (id, name, product_key, module, version, size_bytes, sign_method, sign, sha256, created_at_ms)
        VALUES ('f', 'f', 'p', 'default', '2.0', 1, 'MD5', 'x', 'x', 1);
      INSERT INTO tasks (id, kind, firmware_id, product_key, source_versions, policy, created_at_ms, change)
        VALUES ('t', 'batch', 'f', 'p', '[]', '{}', 1, 1);
      INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, cause, created_at_ms, change)
        VALUES ('t', 0, 'p', 'a', 'default', 'mqtt', 1, 'stalled', 1, 2), ('t', 1, 'p', 'b', 'default', 'mqtt', 1, NULL, 1, 3);
      INSERT INTO tasks (id, kind, status, firmware_id, product_key, source_versions, policy, created_at_ms, ended_at_ms, succeeded, total, change)
        VALUES ('v', 'verification', 'completed', 'f', 'p', '[]', '{}', 1, 9, 1, 2, 4);
      INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, outcome, created_at_ms, change)
        VALUES ('v', 0, 'p', 'a', 'default', 'mqtt', 1, 'succeeded', 1, 5);`);
    db.close();
    const records = openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer });
    expect(await records.countDevices()).toEqual([{ productKey: 'p', online: 1, offline: 1 }]);
    expect((await records.countVersions('p', 'default', { limit: 10 })).items).toEqual([
      { version: '1.0', devices: 2 },
    ]);
    expect(await records.countFailuresByCause('t')).toEqual({ stalled: 1 });
    expect(await records.getFirmware('f')).toMatchObject({
      lastVerification: { taskId: 'v', status: 'completed', succeeded: 1, total: 2, endedAtMs: 9 },
      verificationSuccesses: 1,
    });
    await records.close();
    await rm(folder, { recursive: true });
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
});
