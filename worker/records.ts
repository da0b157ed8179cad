import { join } from 'node:path';
import type { Records } from '../records/records.js';
import { openSqliteRecords } from '../records/sqlite/sqlite-records.js';
import { createSealer } from '../records/sealing.js';
import type { Config } from './config.js';
import { PROJECT_FOLDER } from './paths.js';
import { readSecretKeys } from './secret-keys.js';
import { StartupError } from './startup-error.js';

/** @throws StartupError when the database can't be opened */
export function openRecords({ paths, durability, secretKeys }: Config): Records {
  try {
    return openSqliteRecords({
      path: paths.database,
      synchronous: durability === 'power' ? 'full' : 'normal',
      migrationsFolder: join(PROJECT_FOLDER, 'records', 'migrations'),
      sealer: createSealer(secretKeys ?? readSecretKeys(paths.secretKeys)),
    });
  } catch (error) {
    throw new StartupError(error instanceof Error ? error.message : String(error));
  }
}
