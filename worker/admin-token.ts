import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { requirePrivate, writeSecretFile } from './secret-file.js';

/**
 * The operators' token: the configured one, else the one of an earlier start, else a new one.
 *
 * @returns whether it was made just now: then it is shown once
 * @throws StartupError for a file that others may read
 */
export async function adminToken(
  path: string,
  configured: string | undefined,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  if (configured !== undefined) return { token: configured, isNew: false };
  const kept = (await readUnlessAbsent(path)).trim();
  if (kept !== '') {
    requirePrivate(path);
    return { token: kept, isNew: false };
  }
  const token = randomBytes(24).toString('base64url');
  writeSecretFile(path, `${token}\n`);
  return { token, isNew: true };
}

/** A file that is there and can't be read is no reason to make a new token. */
async function readUnlessAbsent(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return '';
    throw error;
  }
}
