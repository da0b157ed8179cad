import { monitorEventLoopDelay } from 'node:perf_hooks';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WriteQueue } from '../../records/sqlite/write-queue.js';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { Builder } from './builder.js';

describe('a database that another program has locked', () => {
  let opened: TestRecords;
  let build: Builder;
  let other: Database.Database;
  beforeEach(async () => {
    opened = await openTestRecords();
    build = new Builder(opened.records);
    await build.product();
    await build.devices(['before']);
    other = new Database(opened.path, { timeout: 0 });
    other.exec('BEGIN IMMEDIATE');
  });
  afterEach(async () => {
    other.close();
    await opened.close();
  });
  const device = (deviceName: string) => opened.records.getDevice({ productKey: build.productKey, deviceName });

  it('never stops the event loop; is read as always, is told as an outage, and takes the writes once it is free', async () => {
    const { records } = opened;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    let isWritten = false;
    const write = build.devices(['a']).then(() => (isWritten = true));
    const second = build.devices(['b']);
    await vi.waitFor(() => expect(records.ping()).rejects.toMatchObject({ code: 'storage-unavailable' }), {
      ...{ timeout: 30_000, interval: 20 },
    });
    expect(await device('before')).toBeDefined();
    expect(isWritten).toBe(false);
    other.exec('ROLLBACK');
    await Promise.all([write, second]);
    delay.disable();
    expect(await device('a')).toBeDefined();
    await records.ping();
    // The old wait was of five seconds; a busy machine has pauses of its own.
    expect(delay.max / 1e6).toBeLessThan(1_000);
  });

  it('refuses a write after a bounded time, says which program to look for, and goes on by itself', async () => {
    const { records } = opened;
    await expect(build.devices(['a'])).rejects.toMatchObject({
      code: 'storage-unavailable',
      message: expect.stringMatching(/another program holds the database locked.*End that program/) as unknown,
    });
    await expect(records.ping()).rejects.toMatchObject({ code: 'storage-unavailable' });
    other.exec('ROLLBACK');
    await records.ping();
    await build.devices(['a']);
    expect(await device('a')).toBeDefined();
  });

  it('is waited for at the end: what is queued is written, or refused, and nothing waits for ever', async () => {
    const db = new Database(opened.path, { timeout: 10 });
    const queue = new WriteQueue(db, { writeMs: 60_000, outageMs: 1_000, retryMs: 5 });
    const write = queue.run(() => undefined);
    await vi.waitFor(() => expect(queue.isLockedOut).toBe(true), { interval: 5 });
    const closed = queue.close();
    await expect(write).rejects.toMatchObject({ code: 'storage-unavailable' });
    await closed;
    db.close();
  });

  it('keeps the order of the writes that waited', async () => {
    const db = new Database(opened.path, { timeout: 10 });
    db.exec('CREATE TEMP TABLE written (x)');
    const queue = new WriteQueue(db, { writeMs: 60_000, outageMs: 1_000, retryMs: 5 });
    const insert = (x: string) => queue.run(() => void db.prepare('INSERT INTO written VALUES (?)').run(x));
    const first = insert('a');
    await vi.waitFor(() => expect(queue.isLockedOut).toBe(true), { interval: 5 });
    const second = insert('b');
    other.exec('ROLLBACK');
    await Promise.all([first, second]);
    expect(db.prepare('SELECT x FROM written ORDER BY rowid').pluck().all()).toEqual(['a', 'b']);
    await queue.close();
    db.close();
  });
});

describe('a transaction that can’t even be rolled back', () => {
  it('refuses its writes, every caller is told, and the next ones go on', async () => {
    const db = new Database(':memory:');
    db.exec(
      'CREATE TABLE change_counter (value INTEGER); INSERT INTO change_counter VALUES (0); CREATE TABLE rows (x)',
    );
    const queue = new WriteQueue(db);
    const exec = vi.spyOn(db, 'exec').mockImplementationOnce(() => {
      throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
    });
    const fails = () =>
      queue.run(() => {
        db.prepare('INSERT INTO rows VALUES (1)').run();
        throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
      });
    const results = await Promise.allSettled([fails(), queue.run(() => undefined)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(exec).toHaveBeenCalledTimes(1);
    await queue.run(() => void db.prepare('INSERT INTO rows VALUES (2)').run());
    expect(db.prepare('SELECT x FROM rows').pluck().all()).toEqual([2]);
    db.close();
  });
});
