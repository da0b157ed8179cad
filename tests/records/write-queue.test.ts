import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WriteQueue } from '../../records/sqlite/write-queue.js';

describe('the write queue', () => {
  let db: Database.Database;
  let queue: WriteQueue;
  beforeEach(() => {
    db = new Database(':memory:');
    db.exec(
      'CREATE TABLE change_counter (value INTEGER); INSERT INTO change_counter VALUES (0); CREATE TABLE rows (x)',
    );
    queue = new WriteQueue(db);
  });
  afterEach(() => db.close());
  const insert = (x: string) => queue.run(() => void db.prepare('INSERT INTO rows VALUES (?)').run(x));
  const insertAndFail = (x: string, code?: string) =>
    queue.run(() => {
      db.prepare('INSERT INTO rows VALUES (?)').run(x);
      throw Object.assign(new Error(`refused ${x}`), { code });
    });
  const rows = () => db.prepare('SELECT x FROM rows ORDER BY rowid').pluck().all();

  it('keeps the order of its writes, and undoes only the refused one', async () => {
    const results = await Promise.allSettled([insert('a'), insertAndFail('b'), insert('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(rows()).toEqual(['a', 'c']);
  });

  it('needs no savepoint around a single statement: a refused one undoes itself, and spoils no other', async () => {
    db.exec('CREATE UNIQUE INDEX once ON rows (x)');
    const statement = (...values: string[]) =>
      queue.runStatement(
        () => void db.prepare(`INSERT INTO rows VALUES ${values.map(() => '(?)').join()}`).run(values),
      );
    const results = await Promise.allSettled([insert('a'), statement('b', 'a'), statement('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(rows()).toEqual(['a', 'c']);
  });

  it('takes what comes within a few milliseconds of a commit into one more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
    try {
      const commits: number[] = [];
      queue.onChange(() => commits.push(performance.now()));
      const touch = () => queue.run(({ touchedSome }) => touchedSome());
      const begunAtMs = performance.now();
      const first = touch();
      await vi.advanceTimersByTimeAsync(1);
      await first;
      const second = touch();
      await vi.advanceTimersByTimeAsync(1);
      const third = touch();
      await vi.advanceTimersByTimeAsync(4);
      await Promise.all([second, third]);
      expect(commits.map((atMs) => Math.round(atMs - begunAtMs))).toEqual([0, 4]);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([
    ['SQLITE_FULL', { name: 'FerryError', code: 'storage-unavailable' }],
    ['SQLITE_IOERR_WRITE', { name: 'FerryError', code: 'storage-unavailable' }],
    ['SQLITE_CORRUPT', { name: 'Error', cause: { code: 'SQLITE_CORRUPT' } }],
  ])(
    'keeps nothing of a tick in which the storage fails (%s), tells every caller, and goes on',
    async (code, reason) => {
      const results = await Promise.allSettled([insert('a'), insertAndFail('b', code), insert('c')]);
      for (const result of results) {
        expect(result).toMatchObject({ status: 'rejected', reason });
        expect((result as PromiseRejectedResult).reason).toHaveProperty(
          'message',
          expect.stringContaining('refused b'),
        );
      }
      expect(rows()).toEqual([]);
      await insert('d');
      expect(rows()).toEqual(['d']);
    },
  );

  it('numbers changes in order over ticks, never twice, also beside refused writes', async () => {
    const numbered = () => queue.run(({ nextChange }) => nextChange());
    const first = await Promise.all([numbered(), numbered()]);
    const range = queue.run(({ nextChanges }) => nextChanges(3));
    const [from, , after] = await Promise.all([range, insertAndFail('x').catch(() => undefined), numbered()]);
    expect([...first, from]).toEqual([1, 2, 3]);
    expect(after).toBeGreaterThanOrEqual(6);
    expect(db.prepare('SELECT value FROM change_counter').pluck().get()).toBe(after);
  });

  it('commits what is queued when it is closed, and refuses what comes later', async () => {
    const last = insert('a');
    await queue.close();
    await last;
    expect(rows()).toEqual(['a']);
    await expect(insert('b')).rejects.toThrow('closed');
  });
});
