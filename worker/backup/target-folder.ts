import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { BackupError } from './backup-error.js';
import { syncFolder, syncFolders } from './copying.js';

/**
 * Fills a folder so that it appears whole or not at all: under another name beside it, and renamed at the end. What a
 * killed process leaves is named `….partial-…`.
 *
 * @throws BackupError when the folder is taken, inside of `dataDir`, or can't be written
 */
export async function fillFolder<T>(to: string, dataDir: string, fill: (partial: string) => Promise<T>): Promise<T> {
  const path = resolve(to);
  await requireFree(path, dataDir);
  const partial = `${path}.partial-${randomBytes(4).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await mkdir(partial, { mode: 0o700 });
    const filled = await fill(partial);
    await syncFolders(partial);
    // Over an empty folder too, and never over one that somebody has filled meanwhile.
    await rename(partial, path);
    await syncFolder(dirname(path));
    return filled;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw unwritable(path, error);
  }
}

async function requireFree(path: string, dataDir: string): Promise<void> {
  if (`${path}${sep}`.startsWith(`${dataDir}${sep}`)) {
    throw new BackupError(
      `${path} is in the data folder ${dataDir}. Name a folder outside of it, best on another disk.`,
    );
  }
  const found = await stat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isDirectory()) throw new BackupError(`${path} is a file. Name a new or an empty folder for the backup.`);
  if ((await readdir(path)).length > 0) {
    throw new BackupError(`${path} is not empty. Name a new or an empty folder: a backup never overwrites anything.`);
  }
  if (found.dev !== (await stat(dirname(path))).dev) {
    throw new BackupError(`${path} is where a disk is mounted. Name a folder on that disk, such as ${path}/ferry.`);
  }
}

const FULL = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/** Faults of the disk in words; others as they are. */
function unwritable(path: string, error: unknown): unknown {
  const { code, syscall } = error as { code?: string; syscall?: string };
  if (code === undefined) return error;
  if (FULL.includes(code)) {
    return new BackupError(
      `There is no room for ${path} (${code}); nothing was kept of it. Free room or name another folder.`,
    );
  }
  if (syscall === undefined && !code.startsWith('SQLITE_IOERR') && code !== 'SQLITE_CANTOPEN') return error;
  return new BackupError(`The backup ${path} could not be made (${String(error)}); nothing was kept of it.`);
}
