import { and, eq, sql } from 'drizzle-orm';
import type { DeviceKey } from '../../domain/ids.js';
import type { Connection } from './connection.js';
import { devices } from './schema.js';

/** What a device's sealed secret is bound to. */
export const deviceOwner = ({ productKey, deviceName }: DeviceKey): string => `${productKey}/${deviceName}`;

/**
 * Within a write. What is replaced is overwritten in the file, not only released.
 *
 * @returns how many secrets were not sealed by the newest key
 */
export function sealAll({ db, sealer, sqlite }: Connection): number {
  const { productKey, deviceName, deviceSecret } = devices;
  const stale = db
    .select({ productKey, deviceName, deviceSecret })
    .from(devices)
    .where(sql`substr(${deviceSecret}, 1, ${sealer.mark.length}) <> ${sealer.mark}`)
    .all();
  if (stale.length > 0) sqlite.pragma('secure_delete = ON');
  for (const row of stale) {
    const sealed = sealer.seal(sealer.open(row.deviceSecret, deviceOwner(row)), deviceOwner(row));
    db.update(devices)
      .set({ deviceSecret: sealed })
      .where(and(eq(productKey, row.productKey), eq(deviceName, row.deviceName)))
      .run();
  }
  return stale.length;
}

/** What is written meanwhile outlives a power cut once it is committed, whatever the records are opened with. */
export async function syncedToDisk<T>({ sqlite }: Pick<Connection, 'sqlite'>, write: () => Promise<T>): Promise<T> {
  const usual = String(sqlite.pragma('synchronous', { simple: true }));
  sqlite.pragma('synchronous = FULL');
  try {
    return await write();
  } finally {
    sqlite.pragma(`synchronous = ${usual}`);
  }
}

/**
 * Writes the write-ahead log back, with what that takes to outlive a power cut. With `synchronous = NORMAL`, a commit
 * alone does not.
 *
 * @returns false when a reader has kept it from being written back whole
 */
export function checkpoint({ sqlite }: Pick<Connection, 'sqlite'>): boolean {
  const [result] = sqlite.pragma('wal_checkpoint(TRUNCATE)') as { readonly busy: number }[];
  return result?.busy === 0;
}
