import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

/**
 * The operators' token: the configured one, else the one of an earlier start, else a new one.
 *
 * @returns whether it was made just now: then it is shown once
 */
export async function adminToken(
  path: string,
  configured: string | undefined,
): Promise<{ readonly token: string; readonly isNew: boolean }> {
  if (configured !== undefined) return { token: configured, isNew: false };
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (kept !== '') return { token: kept, isNew: false };
  const token = randomBytes(24).toString('base64url');
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  return { token, isNew: true };
}
