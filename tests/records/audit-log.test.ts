import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChainCheck } from '../../records/audit-chain.js';
import { openTestRecords, type TestRecords } from '../support/records.js';

describe('the audit log', () => {
  let opened: TestRecords;
  let db: Database.Database;
  const add = (target: string) =>
    opened.records.addAudit({
      ...{ atMs: 1, actor: 'ada', action: 'task.cancel', target, productKey: null, address: null },
      ...{ outcome: 'done', before: null, after: null },
    });
  beforeEach(async () => {
    opened = await openTestRecords();
    db = new Database(opened.path);
    for (const target of ['a', 'b', 'c']) await add(target);
  });
  afterEach(async () => {
    db.close();
    await opened.close();
  });
  const targets = () => db.prepare('SELECT target FROM audit_entries ORDER BY id').pluck().all();

  it.each([
    'UPDATE audit_entries SET actor = 1',
    'DELETE FROM audit_entries WHERE id = 1',
    "INSERT OR REPLACE INTO audit_entries SELECT id, at_ms, 'eve', action, target, product_key, address, outcome, before, after, previous_hash, hash FROM audit_entries WHERE id = 2",
    'REPLACE INTO audit_entries SELECT * FROM audit_entries WHERE id = 3',
    "INSERT INTO audit_entries SELECT * FROM audit_entries WHERE id = 1 ON CONFLICT DO UPDATE SET actor = 'eve'",
    "INSERT INTO audit_anchors VALUES (2, 'a hash of nothing', 1)",
  ])('refuses %s', (sql) => {
    const before = db.prepare('SELECT * FROM audit_entries').all();
    expect(() => db.exec(sql)).toThrow(/append-only|hash of one of its entries/);
    expect(db.prepare('SELECT * FROM audit_entries').all()).toEqual(before);
  });

  it('goes on after what was archived and deleted, and still proves the rest', async () => {
    const { records } = opened;
    const [, second] = await records.auditChain(0, 10);
    await expect(records.anchorAudit({ id: 2, hash: 'another' }, 9)).rejects.toMatchObject({ code: 'not-found' });
    const anchor = await records.anchorAudit({ id: 2, hash: second?.hash ?? '' }, 9);
    expect(await records.anchorAudit({ id: 2, hash: second?.hash ?? '' }, 10)).toEqual(anchor);
    expect(await records.dropArchivedAudit(1)).toBe(1);
    // What a kill has left is no part of the log any more.
    expect((await records.auditChain(0, 10)).map(({ id }) => id)).toEqual([3]);
    expect(await records.dropArchivedAudit(10)).toBe(1);
    expect(await records.dropArchivedAudit(10)).toBe(0);
    expect(targets()).toEqual(['c']);
    await add('d');
    const check = new ChainCheck({ id: anchor.entryId, hash: anchor.hash });
    for (const entry of await records.auditChain(0, 10)) expect(check.next(entry)).toBeUndefined();
    expect(check.checked).toBe(2);
    for (const sql of [
      'DELETE FROM audit_entries WHERE id = 3',
      'DELETE FROM audit_anchors',
      'UPDATE audit_anchors SET entry_id = 3',
    ]) {
      expect(() => db.exec(sql)).toThrow('append-only');
    }
  });

  it('is not archived where its first entries are lost: they would never be missed', async () => {
    const { records } = opened;
    await add('d');
    const hashes = (await records.auditChain(0, 10)).map(({ hash }) => hash);
    const archive = (id: number) => records.anchorAudit({ id, hash: hashes[id - 1] ?? '' }, 9);
    db.exec('DROP TRIGGER audit_entries_stay');
    const lost = db.prepare('SELECT * FROM audit_entries WHERE id = ?').raw();
    const put = db.prepare(`INSERT INTO audit_entries VALUES (${'?, '.repeat(11)}?)`);
    const first = lost.get(1) as unknown[];
    db.exec('DELETE FROM audit_entries WHERE id = 1');
    await expect(archive(2)).rejects.toThrow('Entry 1 of the audit log as it was written');
    expect(await records.auditAnchor()).toBeUndefined();
    put.run(...first);
    expect(await archive(2)).toMatchObject({ entryId: 2 });
    db.exec('DELETE FROM audit_entries WHERE id = 3');
    await expect(archive(4)).rejects.toThrow('Entry 3 of the audit log as it was written');
    expect(await records.auditAnchor()).toMatchObject({ entryId: 2 });
  });

  it('goes on from the anchor when all of it was archived', async () => {
    const { records } = opened;
    const last = (await records.auditChain(0, 10)).at(-1);
    await records.anchorAudit({ id: 3, hash: last?.hash ?? '' }, 9);
    await records.dropArchivedAudit(10);
    expect(await add('d')).toMatchObject({ id: 4, previousHash: last?.hash });
  });
});
