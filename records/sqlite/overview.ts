import { and, desc, eq, getTableColumns, gte, isNotNull, isNull, sql, type Column } from 'drizzle-orm';
import type { FailureCause } from '../../domain/causes.js';
import type { DeviceCounts, Page, PageRequest, Records, VersionCount } from '../records.js';
import { conflictFinder } from './claims.js';
import type { Connection } from './connection.js';
import { IS_SEEN } from './device-update-rows.js';
import { firmwareReader } from './firmware.js';
import { batchPreview } from './preview.js';
import { pageOf, readCursor } from './paging.js';
import { preparedByShape, type Given } from './prepared.js';
import { DEVICE_UPDATE, deviceUpdateRecord, TASK, taskOf } from './rows.js';
import { deviceUpdates, firmware, tasks } from './schema.js';

type OverviewRecords = Pick<
  Records,
  | 'countDevices'
  | 'countVersions'
  | 'listConflicts'
  | 'previewBatch'
  | 'countEnded'
  | 'countOnline'
  | 'countFailuresSince'
  | 'latestFailures'
  | 'tasksToReinitiate'
  | 'firmwareToValidate'
>;

/** Device updates that are looked at to tell how many of a task's devices are online: some milliseconds. */
const ONLINE_COUNTED_MAX = 10_000;

/** What operators look at: counts and short lists, each read from an index. */
export function overviewRecords(connection: Connection): OverviewRecords {
  const { sqlite } = connection;
  const firmwareOf = firmwareReader(connection);
  const conflictsOf = conflictFinder(connection);
  const previewOf = batchPreview(connection);
  const statements = overviewStatements(connection);
  const counts = deviceCounts(connection);
  // Numbers are bound as reals: without the cast, so would the spans be.
  const ended = sqlite.prepare<
    [number, number, string, number],
    { span: number; outcome: 'succeeded' | 'failed' | null; count: number }
  >(
    `SELECT CAST((ended_at_ms - ?) / ? AS INTEGER) AS span, outcome, count(*) AS count FROM device_updates
     WHERE task_id = ? AND ended_at_ms >= ? GROUP BY span, outcome ORDER BY span`,
  );

  const online = sqlite.prepare<[string], { devices: number; online: number }>(
    `SELECT count(*) AS devices, coalesce(sum(d.online), 0) AS online
     FROM (SELECT product_key, device_name FROM device_updates
             WHERE task_id = ? AND status IN ('pending', 'notified', 'upgrading') LIMIT ${ONLINE_COUNTED_MAX}) u
     LEFT JOIN devices d ON d.product_key = u.product_key AND d.device_name = u.device_name`,
  );

  return {
    countDevices: async () => counts.devices(),
    countVersions: async (productKey, module, page) => counts.versions({ productKey, module }, page),
    listConflicts: async (productKey, module) => conflictsOf({ taskId: '', productKey, module }),
    previewBatch: async (batch) => previewOf(batch),

    async countEnded(taskId, fromMs, spanMs) {
      const rows = ended.all(fromMs, spanMs, taskId, fromMs);
      return [...new Set(rows.map(({ span }) => span))].map((span) => {
        const count = (outcome: string | null) =>
          rows.find((row) => row.span === span && row.outcome === outcome)?.count ?? 0;
        return { span, succeeded: count('succeeded'), failed: count('failed'), cancelled: count(null) };
      });
    },

    countOnline: async (taskId) => online.get(taskId) ?? { devices: 0, online: 0 },

    countFailuresSince: async (sinceMs, productKey) => statements.failuresByCause.all({ sinceMs, productKey }),
    latestFailures: async (sinceMs, limit, productKey) =>
      statements.failures.all({ sinceMs, limit, productKey }).map(deviceUpdateRecord),
    tasksToReinitiate: async (sinceMs, limit, productKey) =>
      statements.toReinitiate.all({ sinceMs, limit, productKey }).map((row) => taskOf(row.task, row.firmware)),
    firmwareToValidate: async (limit, productKey) => statements.toValidate.all({ limit, productKey }).map(firmwareOf),
  };
}

/** Of all products, or of one. */
function overviewStatements({ db }: Connection) {
  const [sinceMs, limit] = [sql.placeholder('sinceMs'), sql.placeholder('limit')];
  const only = (given: Given, column: Column) => given('productKey', (productKey) => eq(column, productKey));
  const hasFailed = (given: Given) =>
    and(
      isNotNull(deviceUpdates.cause),
      gte(deviceUpdates.endedAtMs, sinceMs),
      // `+`: by the index of failures, which has the product too, not by all that the product was ever updated to.
      given('productKey', (productKey) => sql`+${deviceUpdates.productKey} = ${productKey}`),
    );
  const byCause = { cause: sql<FailureCause>`${deviceUpdates.cause}`, count: sql<number>`count(*)` };
  const firmwareColumns = getTableColumns(firmware);
  return {
    failuresByCause: preparedByShape(byCause, (given) =>
      db
        .select(byCause)
        .from(deviceUpdates)
        .where(hasFailed(given))
        .groupBy(deviceUpdates.cause)
        .orderBy(desc(sql`count(*)`)),
    ),
    failures: preparedByShape(DEVICE_UPDATE, (given) =>
      db
        .select(DEVICE_UPDATE)
        .from(deviceUpdates)
        .where(and(hasFailed(given), IS_SEEN))
        .orderBy(desc(deviceUpdates.endedAtMs))
        .limit(limit),
    ),
    toReinitiate: preparedByShape(TASK, (given) =>
      db
        .select(TASK)
        .from(tasks)
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .where(
          and(
            gte(tasks.createdAtMs, sinceMs),
            only(given, tasks.productKey),
            isNull(tasks.forgottenAtMs),
            // `+`: walked by age until the list is full, not gathered by status and sorted.
            sql`+${tasks.status} IN ('completed', 'cancelled')`,
            sql`${tasks.failed} > 0`,
            sql`NOT EXISTS (SELECT 1 FROM tasks later WHERE later.reinitiates = ${tasks.id})`,
          ),
        )
        .orderBy(desc(tasks.createdAtMs), desc(tasks.id))
        .limit(limit),
    ),
    toValidate: preparedByShape(firmwareColumns, (given) =>
      db
        .select()
        .from(firmware)
        .where(
          and(
            isNull(firmware.deletedAtMs),
            isNull(firmware.verifiedAtMs),
            only(given, firmware.productKey),
            sql`NOT EXISTS (SELECT 1 FROM tasks t WHERE t.firmware_id = ${firmware.id} AND t.ended_at_ms IS NULL)`,
          ),
        )
        .orderBy(desc(firmware.createdAtMs), desc(firmware.id))
        .limit(limit),
    ),
  };
}

/** Kept by triggers (schema.ts): counting half a million devices took 35 ms and more, for each open overview page. */
function deviceCounts({ sqlite }: Connection) {
  const byOnline = sqlite.prepare<[], { productKey: string; online: 0 | 1; devices: number }>(
    'SELECT product_key AS productKey, online, devices FROM device_counts ORDER BY product_key',
  );
  const byVersion = (behind: string) =>
    sqlite.prepare<(string | number)[], { version: string; devices: number }>(
      `SELECT version, devices FROM version_counts WHERE product_key = ? AND module = ? AND devices > 0 ${behind}
       ORDER BY devices DESC, version DESC LIMIT ?`,
    );
  const [firstVersions, nextVersions] = [byVersion(''), byVersion('AND (devices, version) < (?, ?)')];
  const ofModule = sqlite
    .prepare<[string, string], number>(
      'SELECT coalesce(sum(devices), 0) FROM version_counts WHERE product_key = ? AND module = ? AND devices > 0',
    )
    .pluck();
  const ofProduct = sqlite
    .prepare<[string], number>('SELECT coalesce(sum(devices), 0) FROM device_counts WHERE product_key = ?')
    .pluck();
  return {
    devices(): DeviceCounts[] {
      const products = new Map<string, { productKey: string; online: number; offline: number }>();
      for (const { productKey, online, devices } of byOnline.all()) {
        const counts = products.get(productKey) ?? { productKey, online: 0, offline: 0 };
        counts[online === 1 ? 'online' : 'offline'] = devices;
        products.set(productKey, counts);
      }
      return [...products.values()];
    },

    versions({ productKey, module }: { productKey: string; module: string }, page: PageRequest): Page<VersionCount> {
      const cursor = readCursor(page.cursor, ['number', 'string']);
      const [devices = Infinity, version = ''] = (cursor ?? []) as [number?, string?];
      const limit = page.limit + 1;
      const rows: VersionCount[] =
        cursor === undefined
          ? firstVersions.all(productKey, module, limit)
          : nextVersions.all(productKey, module, devices, version, limit);
      const silent = (ofProduct.get(productKey) ?? 0) - (ofModule.get(productKey, module) ?? 0);
      // Behind the versions of as many devices: its place is that of an empty version, which no device has.
      const isBehindCursor = silent < devices || (silent === devices && version !== '');
      const place = rows.findIndex((row) => row.devices < silent);
      if (silent > 0 && isBehindCursor)
        rows.splice(place === -1 ? rows.length : place, 0, { version: null, devices: silent });
      return pageOf(rows, page, { key: (row) => [row.devices, row.version ?? ''], item: (row) => row });
    },
  };
}
