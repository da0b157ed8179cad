import { join } from 'node:path';
import type { Records } from '../records/records.js';
import { openSqliteRecords } from '../records/sqlite/sqlite-records.js';
import { createSealer, SealedByOtherKey } from '../records/sealing.js';
import type { Config } from './config.js';
import { PROJECT_FOLDER } from './paths.js';
import { forgetOlderSecretKeys, readSecretKeys } from './secret-keys.js';
import { StartupError } from './startup-error.js';

/** The keys of device secrets, the newest first. @throws StartupError when they can't be read */
export const secretKeysOf = ({ paths, secretKeys }: Pick<Config, 'paths' | 'secretKeys'>): readonly Buffer[] =>
  secretKeys ?? readSecretKeys(paths.secretKeys);

/** @throws StartupError when the database can't be opened */
export function openRecords({ paths, durability }: Config, keys: readonly Buffer[]): Records {
  try {
    return openSqliteRecords({
      path: paths.database,
      synchronous: durability === 'power' ? 'full' : 'normal',
      migrationsFolder: join(PROJECT_FOLDER, 'records', 'migrations'),
      sealer: createSealer(keys),
    });
  } catch (error) {
    throw new StartupError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Seals all device secrets by the newest key, and then forgets the older ones: never before it is certain that the
 * sealed secrets outlive a power cut.
 *
 * @returns how many secrets were not sealed by it yet
 * @throws StartupError when a secret can't be opened
 */
export async function sealSecrets(
  { paths, secretKeys }: Pick<Config, 'paths' | 'secretKeys'>,
  records: Pick<Records, 'resealSecrets'>,
  keys: readonly Buffer[],
): Promise<number> {
  const { resealed, isDurable } = await records.resealSecrets().catch((error: unknown) => {
    if (!(error instanceof SealedByOtherKey)) throw error;
    throw new StartupError(
      `${error.message} Put that key back behind the newest one, into FERRY_SECRET_KEY or ${paths.secretKeys}; a backup of that time has it.`,
    );
  });
  const [newest] = keys;
  if (secretKeys === undefined && newest && isDurable) forgetOlderSecretKeys(paths.secretKeys, newest);
  return resealed;
}
