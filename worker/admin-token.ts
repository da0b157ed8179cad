import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
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
 * @throws StartupError for a file whose token could never be sent
 */
export async function adminToken(
  path: string,
  configured: string | undefined,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  if (configured !== undefined) return { token: configured, isNew: false };
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (kept !== '') {
    const problem = adminTokenProblem(kept);
    if (problem !== undefined) throw new StartupError(`The token in the file ${path} ${problem}. Mend or delete it.`);
    return { token: kept, isNew: false };
  }
  const token = randomBytes(24).toString('base64url');
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  return { token, isNew: true };
}
