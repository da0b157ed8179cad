import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestRecords, type TestRecords } from '../support/records.js';
import { Builder } from './builder.js';

/* A batch of many devices is one transaction in many turns of the event loop: what others see and do meanwhile. */

const DEVICES = 10_000;

describe('creating a large batch', () => {
  let opened: TestRecords;
  let build: Builder;
  let firmwareId: string;
  beforeEach(async () => {
    opened = await openTestRecords();
    build = new Builder(opened.records);
    await build.product();
    const names = Array.from({ length: DEVICES }, (_, i) => `lamp-${String(i).padStart(5, '0')}`);
    await build.devices(names);
    await Promise.all(names.map((name) => build.runs(name, '1.0.0')));
    firmwareId = await build.verified('2.0.0');
  });
  afterEach(() => opened.close());

  /** Resolves once the batch is being written: its transaction holds the database. */
  async function begun(): Promise<{ readonly created: Promise<unknown> }> {
    const created = build.batch(firmwareId, ['1.0.0']);
    created.catch(() => undefined);
    const other = new Database(opened.path, { timeout: 0 });
    try {
      for (let isFree = true; isFree;) {
        await new Promise(setImmediate);
        try {
          other.exec('BEGIN IMMEDIATE');
          other.exec('ROLLBACK');
        } catch {
          isFree = false;
        }
      }
    } finally {
      other.close();
    }
    return { created };
  }

  it('lets others read what was there before, and commits what they write after it', async () => {
    const { created } = await begun();
    const ends: string[] = [];
    void created.then(() => ends.push('batch'));
    const report = build.runs('lamp-00000', '1.1.0').then(() => ends.push('report'));
    expect((await opened.records.listTasks({ kind: 'batch' }, { limit: 10 })).items).toEqual([]);
    expect(await opened.records.getDevice({ productKey: build.productKey, deviceName: 'lamp-00000' })).toMatchObject({
      deviceName: 'lamp-00000',
    });
    expect(ends).toEqual([]);
    await Promise.all([created, report]);
    expect(ends).toEqual(['batch', 'report']);
    const { items } = await opened.records.listTasks({ kind: 'batch' }, { limit: 10 });
    expect(items).toMatchObject([{ counts: { total: DEVICES, pending: DEVICES } }]);
  });

  it('numbers its changes and those of others without a repetition', async () => {
    const { created } = await begun();
    const others = ['lamp-00000', 'lamp-00001'].map((name) => build.runs(name, '1.1.0'));
    await Promise.all([created, ...others]);
    const db = new Database(opened.path, { readonly: true });
    const numbers = db.prepare<[], number>('SELECT change FROM device_updates').pluck().all();
    const last = db.prepare<[], number>('SELECT value FROM change_counter').pluck().get() ?? 0;
    db.close();
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(Math.max(...numbers)).toBeLessThanOrEqual(last);
  });

  it('is one of two that want the same versions: the other one is refused, and leaves nothing', async () => {
    const ends = await Promise.allSettled([build.batch(firmwareId, ['1.0.0']), build.batch(firmwareId, ['1.0.0'])]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(ends[1]).toMatchObject({ reason: { code: 'update-task-conflict' } });
    expect((await opened.records.listTasks({ kind: 'batch' }, { limit: 10 })).items).toHaveLength(1);
  });

  it('is given up when the records are closed: nothing of it is kept, and what was queued is', async () => {
    const { created } = await begun();
    const report = build.runs('lamp-00000', '1.1.0');
    await opened.records.close();
    await expect(created).rejects.toThrow('closed');
    await report;
    const db = new Database(opened.path, { readonly: true });
    const kept = db.prepare<[], number>(`SELECT count(*) FROM tasks WHERE kind = 'batch'`).pluck().get();
    const version = db
      .prepare<[string], string>('SELECT version FROM device_versions WHERE device_name = ?')
      .pluck()
      .get('lamp-00000');
    db.close();
    expect({ kept, version }).toEqual({ kept: 0, version: '1.1.0' });
  });

  it('waits for another program’s lock', async () => {
    const other = new Database(opened.path, { timeout: 0 });
    other.exec('BEGIN IMMEDIATE');
    const created = build.batch(firmwareId, ['1.0.0']);
    // After some turns of the event loop, the batch has met the lock once.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    other.exec('ROLLBACK');
    other.close();
    expect(await created).toMatchObject({ counts: { total: DEVICES } });
  });
});
