import Database from 'better-sqlite3';
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import type { Sealer } from '../sealing.js';
import { NewerSchema, requireKnownSchema, requireWholeSchema } from './migrations.js';
import * as schema from './schema.js';
import { WriteQueue } from './write-queue.js';

export interface SqliteOptions {
  readonly path: string;
  /** `normal`: committed changes survive a killed process; `full`: also a power cut. */
  readonly synchronous: 'normal' | 'full';
  readonly migrationsFolder: string;
  /** Hides device secrets. */
  readonly sealer: Sealer;
}

export interface Connection {
  readonly sqlite: Database.Database;
  readonly db: BetterSQLite3Database<typeof schema>;
  readonly writes: WriteQueue;
  readonly sealer: Sealer;
  readonly synchronous: SqliteOptions['synchronous'];
}

/** At the start, where nothing else has to go on. */
const OPEN_TIMEOUT_MS = 5_000;
/** It is waited for in the event loop, in which everything stands still then; writes are tried again (write-queue.ts). */
export const BUSY_TIMEOUT_MS = 10;
/** 16 MB: a page that many reports change is written back once for all of them, and a commit seldom waits for it. */
const CHECKPOINT_PAGES = 4_000;
/** What a long reader made of the write-ahead log: the file is cut to this size when it is begun anew. */
export const LOG_BYTES_MAX = 64 * 1_024 * 1_024;

/** @throws Error that names the file, when it can't be opened or is no database of Ferry's */
export function connect({ path, synchronous, migrationsFolder, sealer }: SqliteOptions): Connection {
  let sqlite: Database.Database | undefined;
  try {
    sqlite = new Database(path, { timeout: OPEN_TIMEOUT_MS });
    requireKnownSchema(sqlite, path, migrationsFolder);
    sqlite.pragma('journal_mode = WAL');
    preparePragmas(sqlite, synchronous);
    sqlite.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    sqlite.pragma(`journal_size_limit = ${LOG_BYTES_MAX}`);
    const db = drizzle(sqlite, { schema });
    migrate(db, { migrationsFolder });
    requireWholeSchema(sqlite, migrationsFolder);
    sqlite.prepare('INSERT OR IGNORE INTO change_counter (id, value) VALUES (1, 0)').run();
    sqlite.pragma(`busy_timeout = ${BUSY_TIMEOUT_MS}`);
    return { sqlite, db, writes: new WriteQueue(sqlite), sealer, synchronous };
  } catch (error) {
    sqlite?.close();
    if (error instanceof NewerSchema) throw error;
    throw new Error(`The database ${path} can't be opened: ${String(error)}`, { cause: error });
  }
}

/** What every connection that writes is set to. */
export function preparePragmas(sqlite: Database.Database, synchronous: SqliteOptions['synchronous']): void {
  sqlite.pragma(`synchronous = ${synchronous}`);
  sqlite.pragma('foreign_keys = ON');
}

/** True for an insert that a unique index has refused. */
export const isUniqueViolation = (error: unknown): boolean => {
  const { code } = error as { code?: string };
  return code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY';
};
