import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
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
