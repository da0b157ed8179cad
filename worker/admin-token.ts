import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { requirePrivate, writeSecretFile } from './secret-file.js';
import { StartupError } from './startup-error.js';

/** What a header can carry after `Bearer `: visible ASCII characters, without blanks. */
export function adminTokenProblem(token: string): string | undefined {
  if (token.length < 16) return 'must have at least 16 characters';
  if (token.length > 1_000) return 'must have at most 1000 characters';
  return /^[\x21-\x7e]+$/.test(token)
    ? undefined
    : 'must be of ASCII letters, digits and signs, without blanks: a header has to carry it';
}

/**
 * The operators' token: the configured one, else the one of an earlier start, else a new one.
 *
 * @returns whether it was made just now: then it is shown once
 * @throws StartupError for a file that others may read, and for one whose token could never be sent
 */
export async function adminToken(
  path: string,
  configured: string | undefined,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  if (configured !== undefined) return { token: configured, isNew: false };
  const kept = (await readUnlessAbsent(path)).trim();
  if (kept !== '') {
    requirePrivate(path);
    const problem = adminTokenProblem(kept);
    if (problem !== undefined) throw new StartupError(`The token in the file ${path} ${problem}. Mend or delete it.`);
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
