import { existsSync } from 'node:fs';
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { StartupError } from './startup-error.js';

/**
 * Makes the data folder ready, and claims it for this process: two services over one database would each believe that
 * the devices are theirs. The claim is a database lock, which the system itself lifts when the process dies.
 *
 * @returns how to give it back
 * @throws StartupError when it can't be written, or a running service has claimed it
 */
export async function claimDataFolder(path: string): Promise<() => void> {
  try {
    await makeFolder(path);
    // A read-only disk lets a lock be taken.
    await access(path, constants.W_OK);
    const claim = new Database(join(path, 'claim.lock'), { timeout: 0 });
    claim.pragma('journal_mode = MEMORY');
    claim.exec('BEGIN EXCLUSIVE');
    return () => claim.close();
  } catch (error) {
    const code = (error as { code?: string }).code ?? String(error);
    if (code === 'SQLITE_BUSY') {
      throw new StartupError(
        `The data folder ${path} is in use by a running Ferry. Stop that one, or set FERRY_DATA_DIR.`,
      );
    }
    throw new StartupError(`The data folder ${path} can't be written (${code}). Set FERRY_DATA_DIR to one that can.`);
  }
}

/** Whether a running service has claimed the data folder. Nothing is made where there is none. */
export function isDataFolderClaimed(path: string): boolean {
  const lock = join(path, 'claim.lock');
  if (!existsSync(lock)) return false;
  try {
    const claim = new Database(lock, { timeout: 0, fileMustExist: true });
    try {
      claim.exec('BEGIN EXCLUSIVE; ROLLBACK');
      return false;
    } finally {
      claim.close();
    }
  } catch (error) {
    return (error as { code?: string }).code === 'SQLITE_BUSY';
  }
}

/** In the data folder while a restore is under way. */
export const RESTORING = 'restoring';

/** @throws StartupError when a restore into the data folder was broken off: what it holds may be neither old nor new */
export async function requireNoHalfRestore(path: string): Promise<void> {
  if (!(await isThere(join(path, RESTORING)))) return;
  throw new StartupError(
    `A restore into the data folder ${path} was not finished. Repeat it: ferry restore <backup> --replace. ` +
      `(Or, if the data folder was not touched yet, delete ${join(path, RESTORING)}.)`,
  );
}

/** The records while a rebuild writes them; one that is broken off leaves it. */
export const rebuildingPath = (dataDir: string): string => join(dataDir, 'ferry.db.rebuilding');

/**
 * @throws StartupError when a rebuild of the records was broken off: a service without them would take every open run for
 * one that nobody wants
 */
export async function requireNoHalfRebuild(path: string): Promise<void> {
  const rebuilding = rebuildingPath(path);
  if (!(await isThere(rebuilding))) return;
  throw new StartupError(
    `A rebuild of the records in the data folder ${path} was not finished. Repeat it: ferry records rebuild. ` +
      `(Or, if you have put ${join(path, 'ferry.db')} back, delete ${rebuilding}.)`,
  );
}

/** What each whole backup has, and no data folder. */
export const MANIFEST = 'manifest.json';

/**
 * Looks, and changes nothing: a backup stays what it says of itself.
 *
 * @throws StartupError when the folder is a backup: started as it is, its runs would go on from where they were, without
 * what a restore makes safe
 */
export async function requireNoBackup(path: string): Promise<void> {
  if (!(await isThere(join(path, MANIFEST)))) return;
  throw new StartupError(
    `FERRY_DATA_DIR: ${path} is a backup, and no service runs on one. Restore it into another folder: ` +
      `FERRY_DATA_DIR=<new folder> ferry restore ${path}. (Or, if a service has gone on in it already, as older releases ` +
      `did, delete ${join(path, MANIFEST)}.)`,
  );
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Not Node's own `recursive`: that never returns where the system answers ENOENT for a folder that can't be, as in /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdirUnlessThere(path);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdirUnlessThere(path);
  }
}

const mkdirUnlessThere = (path: string): Promise<void> =>
  mkdir(path, { mode: 0o700 }).catch((error: unknown) => {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  });
