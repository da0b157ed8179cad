import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { openTestRecords } from '../support/records.js';
import { Builder } from './builder.js';
import { describeRecords } from './contract.js';

describeRecords('SQLite', async () => {
  const { records, path, close } = await openTestRecords();
  return { records, close, again: async () => openSqliteRecords({ path, synchronous: 'normal' }) };
});

describe('a database file', () => {
  it('that can’t be opened or is no database is refused, by its name', async () => {
    expect(() => openSqliteRecords({ path: '/nonexistent/ferry.db', synchronous: 'normal' })).toThrow(
      '/nonexistent/ferry.db',
    );
    const folder = await mkdtemp(join(tmpdir(), 'ferry-records-'));
    const path = join(folder, 'ferry.db');
    await writeFile(path, 'this is no database, but long enough to be taken for one'.repeat(20));
    expect(() => openSqliteRecords({ path, synchronous: 'normal' })).toThrow(path);
    await rm(folder, { recursive: true });
  });

  it('keeps everything over a restart', async () => {
    const { records, path, close } = await openTestRecords();
    const build = new Builder(records);
    await build.product();
    const id = await build.firmware('2.0.0');
    await records.close();
    const reopened = openSqliteRecords({ path, synchronous: 'full' });
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

  it('answers its lists and look-ups from indexes', async () => {
    const { path, close } = await openTestRecords();
    const db = new Database(path);
    const plan = (query: string) =>
      (db.prepare(`EXPLAIN QUERY PLAN ${query}`).all() as { detail: string }[]).map(({ detail }) => detail).join('\n');
    const open = `"device_updates"."status" IN ('pending', 'notified', 'upgrading') AND "device_updates"."begun_at_ms" IS NOT NULL`;
    const queries = {
      device_updates_open: `SELECT * FROM device_updates WHERE product_key = 'p' AND device_name = 'd' AND ${open}`,
      device_updates_by_outcome: `SELECT * FROM device_updates WHERE task_id = 't' AND outcome = 'failed' AND ordinal > 5 ORDER BY ordinal LIMIT 9`,
      device_updates_by_status: `SELECT * FROM device_updates WHERE task_id = 't' AND status = 'pending' AND ordinal > 5 ORDER BY ordinal LIMIT 9`,
      device_updates_history: `SELECT * FROM device_updates WHERE product_key = 'p' AND device_name = 'd' AND id < 9 ORDER BY id DESC LIMIT 9`,
      device_updates_by_change: `SELECT * FROM device_updates WHERE task_id = 't' AND change > 5 ORDER BY change, ordinal LIMIT 9`,
      claims_open: `SELECT * FROM claims WHERE product_key = 'p' AND module = 'm' AND source_version IN ('1') AND released_at_ms IS NULL`,
      tasks_by_status: `SELECT * FROM tasks WHERE status IN ('pending', 'running') AND start_delivered = 0 ORDER BY created_at_ms LIMIT 9`,
    };
    for (const [index, query] of Object.entries(queries)) expect(plan(query)).toContain(index);
    db.close();
    await close();
  });
});
