import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NeededFile } from '../../records/sqlite/backup.js';
import { BackupError } from './backup-error.js';
import { copyFile } from './copying.js';
import { firmwarePath, type Manifest, type ManifestFile } from './manifest.js';

export type Damaged = Manifest['damaged'][number];

export const MISSING = 'its file is missing';

/**
 * Copies firmware files, each verified against its name, which is its SHA-256.
 *
 * @returns what was copied, and what is missing or differs from its name
 */
export async function copyFirmware(
  needed: readonly NeededFile[],
  { from, to, signal }: { readonly from: string; readonly to: string; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly files: readonly ManifestFile[]; readonly damaged: readonly Damaged[] }> {
  const files: ManifestFile[] = [];
  const damaged: Damaged[] = [];
  for (const { sha256, firmware } of needed) {
    const path = firmwarePath(sha256);
    const copy = join(to, path);
    // A copy of an earlier look at the records is as good: its content is its name.
    await rm(copy, { force: true });
    try {
      const digest = await copyFile(join(from, path), copy, signal);
      if (digest.sha256 === sha256) {
        files.push({ path, ...digest });
        continue;
      }
      damaged.push({ sha256, firmware, problem: `the content of ${path} differs from its digest` });
    } catch (error) {
      const { code, syscall } = error as { code?: string; syscall?: string };
      if (code === 'ENOENT') damaged.push({ sha256, firmware, problem: MISSING });
      else if (code === 'EIO' && syscall === 'read')
        damaged.push({ sha256, firmware, problem: `${path} can't be read` });
      else throw error;
    }
    await rm(copy, { force: true });
  }
  return { files, damaged };
}

/** @throws BackupError that names all of them */
export function refuseDamaged(damaged: readonly Damaged[]): void {
  if (damaged.length === 0) return;
  const lines = damaged.map(({ firmware, problem }) => `  ${firmware}: ${problem}`);
  throw new BackupError(
    `Firmware files of the data folder are damaged:\n${lines.join('\n')}\n` +
      'Put the files back or delete the firmware; or back up without them by --skip-damaged.',
  );
}
