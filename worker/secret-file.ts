import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { StartupError } from './startup-error.js';

/** Writes a file that only its owner may read: whole or not at all, and durable when it returns. */
export function writeSecretFile(path: string, text: string): void {
  const partial = `${path}.new`;
  // One that a killed process has left may have another mode.
  rmSync(partial, { force: true });
  const file = openSync(partial, 'wx', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(partial, path);
  syncFolderNow(dirname(path));
}

/** A name is durable once its folder is. */
function syncFolderNow(path: string): void {
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** @throws StartupError for a file that others may read */
export function requirePrivate(path: string): void {
  if ((statSync(path).mode & 0o077) === 0) return;
  throw new StartupError(`${path} can be read by others. Allow it to its owner only: chmod 600 ${path}`);
}
