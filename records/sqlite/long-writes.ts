import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { FerryError, storageLocked } from '../../domain/errors.js';
import { checkpointAside } from './aside.js';
import { BUSY_TIMEOUT_MS, preparePragmas, type Connection } from './connection.js';
import * as schema from './schema.js';
import { ChangeNumbers, isLocked, LOCK_PATIENCE, refusalOf, type WriteContext } from './write-queue.js';

/** What a long write is given beside what every write may do. */
export interface LongWriteContext extends WriteContext {
  /** Sees what this write has written; others see it after the commit. */
  readonly connection: Connection;
  /** A long write awaits this between its parts, so that other reads and requests are served. */
  readonly rest: () => Promise<void>;
}

export type LongWrite<T> = (context: LongWriteContext) => Promise<T>;

/**
 * One transaction of many rows that does not hold the event loop: it has a connection of its own, so that others read on
 * between its parts, and their writes wait for its commit.
 *
 * @throws what the write throws, after everything of it is undone
 * @throws FerryError `storage-unavailable` when another program's lock lasts, or the disk refuses
 */
export function writeInParts<T>(main: Connection, write: LongWrite<T>): Promise<T> {
  return main.writes.exclusively(async () => {
    const sqlite = new Database(main.sqlite.name, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    try {
      preparePragmas(sqlite, main.synchronous);
      // Neither this commit nor the next one of the main connection writes the log back: another thread does, below.
      sqlite.pragma('wal_autocheckpoint = 0');
      await begin(sqlite);
      const { isLong, ...written } = await run(main, sqlite, write);
      if (isLong) await writeLogBack(main);
      return written;
    } finally {
      // An open transaction is rolled back with it.
      sqlite.close();
    }
  });
}

/** Others' writes wait for it: the first of them would find the whole log to write back, within its turn. */
async function writeLogBack({ sqlite }: Connection): Promise<void> {
  try {
    await checkpointAside(sqlite.name);
  } catch {
    // What was written is committed all the same, and some later commit writes the log back.
  }
}

async function begin(sqlite: Database.Database): Promise<void> {
  const untilMs = performance.now() + LOCK_PATIENCE.writeMs;
  for (;;) {
    try {
      sqlite.exec('BEGIN IMMEDIATE');
      return;
    } catch (error) {
      if (!isLocked(error)) throw error;
      if (performance.now() >= untilMs) throw storageLocked();
    }
    await delay(LOCK_PATIENCE.retryMs);
  }
}

async function run<T>(main: Connection, sqlite: Database.Database, write: LongWrite<T>) {
  const changes = new ChangeNumbers(sqlite);
  const touched = new Set<string>();
  let isLong = false;
  changes.begin();
  try {
    const value = await write({
      connection: { ...main, sqlite, db: drizzle(sqlite, { schema }) },
      nextChange: () => changes.take(1),
      nextChanges: (count) => changes.take(count),
      touched: (taskId) => void touched.add(taskId),
      touchedSome: () => undefined,
      rest: async () => {
        isLong = true;
        await setImmediate();
        if (main.writes.isClosed) throw new Error('The records are closed');
      },
    });
    changes.store();
    sqlite.exec('COMMIT');
    return { value, touched, isLong };
  } catch (error) {
    throw error instanceof FerryError ? error : refusalOf(error);
  }
}
