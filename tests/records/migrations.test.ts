import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { testSealer } from '../support/records.js';

const MIGRATIONS = join(PROJECT_FOLDER, 'records', 'migrations');

interface Journal {
  readonly entries: { idx: number; tag: string; when: number }[];
}
const journalIn = async (folder: string): Promise<Journal> =>
  JSON.parse(await readFile(join(folder, 'meta', '_journal.json'), 'utf8')) as Journal;

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-migrations-'));
  path = join(folder, 'ferry.db');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (migrationsFolder = MIGRATIONS) =>
  openSqliteRecords({ path, synchronous: 'normal', sealer: testSealer, migrationsFolder });

describe('the migrations', () => {
  it('are numbered in the order of their time: one that is older than one before it would be passed over', async () => {
    const { entries } = await journalIn(MIGRATIONS);
    expect(entries.map(({ idx }) => idx)).toEqual(entries.map((_, i) => i));
    expect(entries.map(({ tag }) => tag.slice(0, 4))).toEqual(entries.map((_, i) => String(i).padStart(4, '0')));
    const times = entries.map(({ when }) => when);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);
  });

  it('that were passed over are a reason not to start', async () => {
    await open().close();
    const merged = join(folder, 'merged');
    await cp(MIGRATIONS, merged, { recursive: true });
    const journal = await journalIn(merged);
    const last = journal.entries.at(-1);
    const write = (entries: Journal['entries']) =>
      writeFile(join(merged, 'meta', '_journal.json'), JSON.stringify({ ...journal, entries }));
    await writeFile(join(merged, '9999_late.sql'), 'CREATE TABLE late (x);');
    await write([...journal.entries, { idx: 9999, tag: '9999_late', when: (last?.when ?? 0) - 1 }]);
    expect(() => open(merged)).toThrow(/9999_late was passed over/);
  });
});

describe('a database of a newer Ferry', () => {
  it('is refused, and left as it is', async () => {
    await open().close();
    const db = new Database(path);
    db.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run('of tomorrow', 4e12);
    db.exec('ALTER TABLE products ADD COLUMN of_tomorrow text');
    db.close();
    const before = await readFile(path);
    expect(() => open()).toThrow(/was written by a newer Ferry.*Start the newer Ferry, or restore a backup/);
    expect(await readFile(path)).toEqual(before);
  });
});
