import { pino } from 'pino';
import { loadConfig } from '../config.js';
import { claimDataFolder } from '../data-folder.js';
import { silenceSdkLog } from '../log.js';
import { openRecords, secretKeysOf } from '../records.js';
import { Shutdown } from '../shutdown.js';
import { StartupError } from '../startup-error.js';
import { startTemporal } from '../temporal/temporal.js';
import { rebuildRecords, type Rebuilt } from './rebuild.js';

export interface OfflineRebuild {
  readonly onSlow: (message: string) => void;
  readonly onTask: (done: number, total: number) => void;
}

/**
 * `ferry records rebuild`: with the service stopped, into a database that has nothing in it yet.
 *
 * @throws StartupError when a service runs on the data folder, or its database is not empty
 */
export async function rebuildOffline(env: NodeJS.ProcessEnv, { onSlow, onTask }: OfflineRebuild): Promise<Rebuilt> {
  silenceSdkLog();
  const config = loadConfig(env);
  const log = pino({ level: 'silent' });
  const shutdown = new Shutdown(log);
  try {
    shutdown.add('data folder', await claimDataFolder(config.dataDir));
    const records = openRecords(config, secretKeysOf(config));
    shutdown.add('records', () => records.close());
    const { items } = await records.listProducts({ limit: 1 });
    if (items.length > 0) {
      throw new StartupError(
        `The database ${config.paths.database} is not empty. Move it aside (with its -wal and -shm files), then rebuild.`,
      );
    }
    const temporal = await startTemporal(config, { env, log, onSlow });
    shutdown.add('Temporal', () => temporal.stop());
    shutdown.add('Temporal connections', () => temporal.connections.close());
    return await rebuildRecords({ client: temporal.connections.client, records, onTask });
  } finally {
    await shutdown.run();
  }
}
