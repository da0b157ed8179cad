import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { RefinementCtx } from 'zod';
import { SEALING_KEY_BYTES } from '../records/sealing.js';
import { StartupError } from './startup-error.js';

/*
 * The keys under which device secrets are kept, newest first: a file of one key a line, in base64. A rotation adds a
 * key; at its next start the service seals everything by it, and then forgets the older ones.
 */

const newKey = (): Buffer => randomBytes(SEALING_KEY_BYTES);

const keyOf = (line: string): Buffer | undefined => {
  const key = Buffer.from(line, 'base64');
  return key.length === SEALING_KEY_BYTES ? key : undefined;
};

/** `FERRY_SECRET_KEY`: one key, or several with commas in between, the newest first. */
export function parseSecretKeys(text: string, context: RefinementCtx): Buffer[] {
  const keys = text.split(',').map((one) => keyOf(one.trim()));
  if (keys.every((key) => key !== undefined)) return keys;
  context.addIssue({ code: 'custom', message: 'must be 32 bytes in base64: make one by "openssl rand -base64 32"' });
  return [];
}

/**
 * Reads the keys; makes the first one where there is no file.
 *
 * @throws StartupError for a file that is damaged, or that others may read
 */
export function readSecretKeys(path: string): Buffer[] {
  if (!existsSync(path)) write(path, [newKey()]);
  if ((statSync(path).mode & 0o077) !== 0) {
    throw new StartupError(`${path} can be read by others. Allow it to its owner only: chmod 600 ${path}`);
  }
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const keys = lines.map(keyOf).filter((key) => key !== undefined);
  if (keys.length > 0 && keys.length === lines.length) return keys;
  throw new StartupError(
    `${path} is damaged: it must have one key of 32 bytes in base64 a line. Take it from a backup: device secrets can't be read without it.`,
  );
}

/** Adds a key before the others. @returns how many there are now */
export function addSecretKey(path: string): number {
  const keys = [newKey(), ...readSecretKeys(path)];
  write(path, keys);
  return keys.length;
}

/** After everything was sealed by the newest key. */
export function keepNewestSecretKey(path: string): void {
  const [newest, ...older] = readSecretKeys(path);
  if (newest && older.length > 0) write(path, [newest]);
}

/** Whole or not at all: a half-written key would lose every device. */
function write(path: string, keys: readonly Buffer[]): void {
  const partial = `${path}.new`;
  writeFileSync(partial, keys.map((key) => `${key.toString('base64')}\n`).join(''), { mode: 0o600, flush: true });
  renameSync(partial, path);
}
