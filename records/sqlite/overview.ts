import { and, desc, eq, gte, inArray, isNotNull, isNull, sql, type Column, type SQL } from 'drizzle-orm';
import type { FailureCause } from '../../domain/causes.js';
import type { Records, VersionCount } from '../records.js';
import { conflictsOf } from './claims.js';
import type { Connection } from './connection.js';
import { IS_SEEN } from './device-updates.js';
import { firmwareReader } from './firmware.js';
import { previewBatch } from './preview.js';
import { deviceUpdateOf, taskOf } from './rows.js';
import { devices, deviceUpdates, firmware, tasks } from './schema.js';

type OverviewRecords = Pick<
  Records,
  | 'countDevices'
  | 'countVersions'
  | 'listConflicts'
  | 'previewBatch'
  | 'countEnded'
  | 'countFailuresSince'
  | 'latestFailures'
  | 'tasksToReinitiate'
  | 'firmwareToValidate'
>;

/** What operators look at: counts and short lists, each read from an index. */
export function overviewRecords(connection: Connection): OverviewRecords {
  const { db, sqlite } = connection;
  const firmwareOf = firmwareReader(connection);
  // Numbers are bound as reals: without the cast, so would the spans be.
  const ended = sqlite.prepare<
    [number, number, string],
    { span: number; outcome: 'succeeded' | 'failed' | null; count: number }
  >(
    `SELECT CAST((ended_at_ms - ?) / ? AS INTEGER) AS span, outcome, count(*) AS count FROM device_updates
     WHERE task_id = ? AND ended_at_ms IS NOT NULL GROUP BY span, outcome ORDER BY span`,
  );

  return {
    async countDevices() {
      const rows = db
        .select({ productKey: devices.productKey, online: devices.online, count: sql<number>`count(*)` })
        .from(devices)
        .groupBy(devices.productKey, devices.online)
        .all();
      return [...new Set(rows.map(({ productKey }) => productKey))].map((productKey) => {
        const count = (online: boolean) =>
          rows.find((row) => row.productKey === productKey && row.online === online)?.count ?? 0;
        return { productKey, online: count(true), offline: count(false) };
      });
    },

    countVersions: async (productKey, module) => countVersions(connection, productKey, module),
    listConflicts: async (productKey, module) => conflictsOf(connection, { taskId: '', productKey, module }),
    previewBatch: async (batch) => previewBatch(connection, batch),

    async countEnded(taskId, fromMs, spanMs) {
      const rows = ended.all(fromMs, spanMs, taskId);
      return [...new Set(rows.map(({ span }) => span))].map((span) => {
        const count = (outcome: string | null) =>
          rows.find((row) => row.span === span && row.outcome === outcome)?.count ?? 0;
        return { span, succeeded: count('succeeded'), failed: count('failed'), cancelled: count(null) };
      });
    },

    async countFailuresSince(sinceMs, productKey) {
      return db
        .select({ cause: sql<FailureCause>`${deviceUpdates.cause}`, count: sql<number>`count(*)` })
        .from(deviceUpdates)
        .where(
          and(
            isNotNull(deviceUpdates.cause),
            gte(deviceUpdates.endedAtMs, sinceMs),
            only(deviceUpdates.productKey, productKey),
          ),
        )
        .groupBy(deviceUpdates.cause)
        .orderBy(desc(sql`count(*)`))
        .all();
    },

    async latestFailures(sinceMs, limit, productKey) {
      return db
        .select()
        .from(deviceUpdates)
        .where(
          and(
            isNotNull(deviceUpdates.cause),
            gte(deviceUpdates.endedAtMs, sinceMs),
            IS_SEEN,
            only(deviceUpdates.productKey, productKey),
          ),
        )
        .orderBy(desc(deviceUpdates.endedAtMs))
        .limit(limit)
        .all()
        .map(deviceUpdateOf);
    },

    async tasksToReinitiate(sinceMs, limit, productKey) {
      return db
        .select()
        .from(tasks)
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .where(
          and(
            gte(tasks.createdAtMs, sinceMs),
            only(tasks.productKey, productKey),
            isNull(tasks.forgottenAtMs),
            inArray(tasks.status, ['completed', 'cancelled']),
            sql`${tasks.failed} > 0`,
            sql`NOT EXISTS (SELECT 1 FROM tasks later WHERE later.reinitiates = ${tasks.id})`,
          ),
        )
        .orderBy(desc(tasks.createdAtMs), desc(tasks.id))
        .limit(limit)
        .all()
        .map((row) => taskOf(row.tasks, row.firmware));
    },

    async firmwareToValidate(limit, productKey) {
      return db
        .select()
        .from(firmware)
        .where(
          and(
            isNull(firmware.deletedAtMs),
            isNull(firmware.verifiedAtMs),
            only(firmware.productKey, productKey),
            sql`NOT EXISTS (SELECT 1 FROM tasks t WHERE t.firmware_id = ${firmware.id} AND t.ended_at_ms IS NULL)`,
          ),
        )
        .orderBy(desc(firmware.createdAtMs), desc(firmware.id))
        .limit(limit)
        .all()
        .map(firmwareOf);
    },
  };
}

/** The condition of one product; none for all. */
const only = (column: Column, productKey: string | undefined): SQL | undefined =>
  productKey === undefined ? undefined : eq(column, productKey);

function countVersions({ sqlite }: Connection, productKey: string, module: string): VersionCount[] {
  const reported = sqlite
    .prepare<[string, string], { version: string; devices: number }>(
      `SELECT version, count(*) AS devices FROM device_versions WHERE product_key = ? AND module = ? GROUP BY version`,
    )
    .all(productKey, module);
  const all = sqlite
    .prepare<[string], { devices: number }>('SELECT count(*) AS devices FROM devices WHERE product_key = ?')
    .get(productKey);
  const silent = (all?.devices ?? 0) - reported.reduce((sum, { devices }) => sum + devices, 0);
  const counts: VersionCount[] = silent > 0 ? [...reported, { version: null, devices: silent }] : reported;
  return counts.sort((a, b) => b.devices - a.devices);
}
