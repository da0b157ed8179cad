import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import type { Records } from '../records.js';
import { auditRecords } from './audit.js';
import { changeRecords } from './changes.js';
import { connect, type SqliteOptions } from './connection.js';
import { doctorRecords } from './doctor.js';
import { deviceUpdateRecords } from './device-updates.js';
import { deviceRecords } from './devices.js';
import { firmwareRecords } from './firmware.js';
import { forgetIdempotencyKeys } from './idempotency.js';
import { importRecords } from './import.js';
import { outboxRecords } from './outbox.js';
import { restoreRecords } from './restore.js';
import { retentionRecords } from './retention.js';
import { overviewRecords } from './overview.js';
import { pauseRecords } from './pauses.js';
import { productRecords } from './products.js';
import { settings } from './schema.js';
import { sessionRecords } from './sessions.js';
import { taskRecords } from './tasks.js';
import { tokenRecords } from './tokens.js';
import { unavailability } from './write-queue.js';

/**
 * Records in a SQLite file, brought to the newest schema.
 *
 * @throws Error that names the file, when it can't be opened
 */
export function openSqliteRecords(
  options: Omit<SqliteOptions, 'migrationsFolder'> & { migrationsFolder?: string },
): Records {
  const migrationsFolder = options.migrationsFolder ?? join(import.meta.dirname, '..', 'migrations');
  const connection = connect({ ...options, migrationsFolder });
  const { db, sqlite, writes } = connection;
  const setting = (name: string) => db.select().from(settings).where(eq(settings.name, name)).get()?.value;

  return tellingUnavailability({
    ...deviceRecords(connection),
    ...productRecords(connection),
    ...firmwareRecords(connection),
    ...taskRecords(connection),
    ...deviceUpdateRecords(connection),
    ...overviewRecords(connection),
    ...sessionRecords(connection),
    ...tokenRecords(connection),
    ...auditRecords(connection),
    ...pauseRecords(connection),
    ...outboxRecords(connection),
    ...changeRecords(connection),
    ...doctorRecords(connection),
    ...importRecords(connection),
    ...restoreRecords(connection),
    ...retentionRecords(connection),

    setting: (name, create) =>
      writes.run(() => {
        db.insert(settings).values({ name, value: create() }).onConflictDoNothing().run();
        return setting(name) ?? '';
      }),
    forgetIdempotencyKeys: (beforeMs) => writes.run(() => forgetIdempotencyKeys(connection, beforeMs)),
    async ping() {
      sqlite.prepare('SELECT 1').get();
      await writes.probe();
    },
    close: async () => {
      await writes.close();
      sqlite.close();
    },
  });
}

/** A read that a lock or the disk does not allow is refused in the same words as a write. */
function tellingUnavailability(records: Records): Records {
  const told =
    (method: (...args: unknown[]) => unknown) =>
    (...args: unknown[]) => {
      const result = method(...args);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw unavailability(error) ?? error;
      });
    };
  const entries = Object.entries(records as unknown as Record<string, (...args: unknown[]) => unknown>);
  return Object.fromEntries(entries.map(([name, method]) => [name, told(method)])) as unknown as Records;
}
