import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { RefinementCtx } from 'zod';
import { SEALING_KEY_BYTES } from '../records/sealing.js';
import { requirePrivate, writeSecretFile } from './secret-file.js';
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
  if (!existsSync(path)) writeKeyFile(path, [newKey()]);
  requirePrivate(path);
  return parseKeyFile(path);
}

/**
 * The keys in a file, which may be one of a backup.
 *
 * @throws StartupError for a file that is damaged
 */
export function parseKeyFile(path: string): Buffer[] {
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
  writeKeyFile(path, keys);
  return keys.length;
}

/**
 * Forgets the keys that are older than the one that everything is sealed by now. A key that was added since is not in
 * use yet, and stays before it.
 */
export function forgetOlderSecretKeys(path: string, sealing: Buffer): void {
  const keys = readSecretKeys(path);
  const place = keys.findIndex((key) => key.equals(sealing));
  if (place >= 0 && place < keys.length - 1) writeKeyFile(path, keys.slice(0, place + 1));
}

/** All of the keys of both, each once: those of the first stay before the others. */
export const unitedKeys = (first: readonly Buffer[], second: readonly Buffer[]): Buffer[] => [
  ...first,
  ...second.filter((key) => !first.some((other) => other.equals(key))),
];

export const writeKeyFile = (path: string, keys: readonly Buffer[]): void =>
  writeSecretFile(path, keys.map((key) => `${key.toString('base64')}\n`).join(''));
