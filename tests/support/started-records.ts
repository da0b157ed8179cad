import type { Records } from '../../records/records.js';
import { loadConfig } from '../../worker/config.js';
import { openRecords, sealSecrets, secretKeysOf } from '../../worker/records.js';

/** Uses the records of a data folder as a start of the service opens them: their secrets are sealed by the newest key. */
export async function withStartedRecords<T>(env: NodeJS.ProcessEnv, use: (records: Records) => Promise<T>): Promise<T> {
  const config = loadConfig(env);
  const keys = secretKeysOf(config);
  const records = openRecords(config, keys);
  try {
    await sealSecrets(config, records, keys);
    return await use(records);
  } finally {
    await records.close();
  }
}
