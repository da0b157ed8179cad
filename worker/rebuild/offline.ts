import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { copyDatabase } from '../../records/sqlite/backup.js';
import { replaceFile } from '../backup/copying.js';
import { loadConfig, type Config } from '../config.js';
import { claimDataFolder, rebuildingPath, requireNoBackup, requireNoHalfRestore } from '../data-folder.js';
import { silenceSdkLog } from '../log.js';
import { openRecords, secretKeysOf } from '../records.js';
import { Shutdown } from '../shutdown.js';
import { StartupError } from '../startup-error.js';
import { startTemporal } from '../temporal/temporal.js';
import { rebuildRecords, type RebuildDeps, type Rebuilt } from './rebuild.js';

export interface OfflineRebuild {
  readonly onSlow: (message: string) => void;
  readonly onTask: (done: number, total: number) => void;
}

/**
 * `ferry records rebuild`: with the service stopped, into a database that has nothing in it yet. It is written under
 * another name and renamed when it is whole. What a rebuild leaves that was broken off keeps the service from starting,
 * and the next rebuild begins anew.
 *
 * @throws StartupError when a service runs on the data folder, or its database is not empty
 */
export async function rebuildOffline(env: NodeJS.ProcessEnv, { onSlow, onTask }: OfflineRebuild): Promise<Rebuilt> {
  silenceSdkLog();
  const config = loadConfig(env);
  const log = pino({ level: 'silent' });
  const shutdown = new Shutdown(log);
  try {
    await requireNoBackup(config.dataDir);
    shutdown.add('data folder', await claimDataFolder(config.dataDir));
    await requireNoHalfRestore(config.dataDir);
    await requireEmpty(config);
    const temporal = await startTemporal(config, { env, log, onSlow });
    shutdown.add('Temporal', () => temporal.stop());
    shutdown.add('Temporal connections', () => temporal.connections.close());
    return await rebuildBeside(config, { client: temporal.connections.client, onTask });
  } finally {
    await shutdown.run();
  }
}

/** Nothing is made where there is no database: a start would take it for the records. */
async function requireEmpty(config: Config): Promise<void> {
  const { database } = config.paths;
  if (!existsSync(database)) {
    const log = `${database}-wal`;
    if (!existsSync(log)) return;
    throw new StartupError(
      `The database ${database} is gone, and its write-ahead log ${log} is still there. Move that to where the database is, then rebuild.`,
    );
  }
  const records = openRecords(config, secretKeysOf(config));
  try {
    const { items } = await records.listProducts({ limit: 1 });
    if (items.length === 0) return;
    throw new StartupError(
      `The database ${database} is not empty. Move it aside (with its -wal and -shm files), then rebuild.`,
    );
  } finally {
    await records.close();
  }
}

async function rebuildBeside(config: Config, deps: Pick<RebuildDeps, 'client' | 'onTask'>): Promise<Rebuilt> {
  const { database } = config.paths;
  const rebuilding = rebuildingPath(config.dataDir);
  // What a broken-off rebuild left; the file itself stays, emptied, as it keeps the service from starting.
  for (const end of ['-wal', '-shm', '-journal']) await rm(`${rebuilding}${end}`, { force: true });
  await writeFile(rebuilding, '', { mode: 0o600 });
  // Tokens, for one, may have been made in a database without products.
  if (existsSync(database)) await copyDatabase(database, rebuilding);
  const records = openRecords({ ...config, paths: { ...config.paths, database: rebuilding } }, secretKeysOf(config));
  const rebuilt = await rebuildRecords({ ...deps, records }).finally(() => records.close());
  makeOneFile(rebuilding);
  // A log of the database that is replaced would be taken for one of the new database.
  for (const end of ['-wal', '-shm']) await rm(`${database}${end}`, { force: true });
  await replaceFile(rebuilding, database);
  return rebuilt;
}

/** Without a write-ahead log beside it. @throws when that can't be written back, such as on a full disk */
function makeOneFile(path: string): void {
  const db = new Database(path);
  try {
    db.pragma('journal_mode = DELETE');
  } finally {
    db.close();
  }
}
