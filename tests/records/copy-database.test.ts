import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyDatabase, databaseFault } from '../../records/sqlite/backup.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ferry-copy-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** As an engine in another process does: one commit after the other, without a pause, each adding to both tables. */
const WRITER = `
  import Database from 'better-sqlite3';
  const db = new Database(process.argv[1], { timeout: 5000 });
  const write = db.transaction(() => db.exec('INSERT INTO a (v) VALUES (randomblob(500)); INSERT INTO b (v) VALUES (1)'));
  for (let i = 0; ; i++) { write(); if (i === 100) process.stdout.write('writing'); }
`;

describe('a copy of a database', () => {
  it('is of one moment, and gets done, however fast another process writes', async () => {
    const path = join(folder, 'live.db');
    const live = new Database(path);
    live.pragma('journal_mode = WAL');
    live.exec('CREATE TABLE a (id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE b (id INTEGER PRIMARY KEY, v)');
    // Larger than a step of the copying, so that there are writes between steps.
    live.exec(
      'WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO a (v) SELECT randomblob(1500) FROM n',
    );
    live.exec('INSERT INTO b (v) SELECT 1 FROM a');
    live.close();
    const writer = spawn(process.execPath, ['--input-type=module', '-e', WRITER, path], { cwd: import.meta.dirname });
    try {
      await once(writer.stdout, 'data');
      const steps: number[] = [];
      await copyDatabase(path, join(folder, 'copy.db'), (remaining) => steps.push(remaining));
      expect(writer.exitCode).toBeNull();
      expect(steps.length).toBeGreaterThan(3);
      expect(steps).toEqual([...steps].sort((a, b) => b - a));
    } finally {
      const exited = once(writer, 'exit');
      writer.kill();
      await exited;
    }
    expect(databaseFault(join(folder, 'copy.db'))).toBeNull();
    const copy = new Database(join(folder, 'copy.db'), { readonly: true });
    const [a, b] = ['a', 'b'].map((table) => copy.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
    expect(a).toBe(b);
    expect(a).toBeGreaterThan(20_000);
    copy.close();
    expect((await readdir(folder)).filter((name) => name.startsWith('copy'))).toEqual(['copy.db']);
  });

  it('is refused when there is no database, and breaks off when that is asked for', async () => {
    await expect(copyDatabase(join(folder, 'none.db'), join(folder, 'copy.db'))).rejects.toThrow();
    const path = join(folder, 'small.db');
    const small = new Database(path);
    small.exec('CREATE TABLE a (v)');
    const stop = () => {
      throw new Error('stopped');
    };
    await expect(copyDatabase(path, join(folder, 'copy.db'), stop)).rejects.toThrow('stopped');
    small.close();
  });

  it('that is damaged is found out', async () => {
    const path = join(folder, 'damaged.db');
    await writeFile(path, 'this is no database, but long enough to be taken for one'.repeat(20));
    expect(databaseFault(path)).toContain('not a database');
    expect(databaseFault(join(folder, 'none.db'))).not.toBeNull();
  });
});
