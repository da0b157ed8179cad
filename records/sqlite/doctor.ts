import type { Statement } from 'better-sqlite3';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { BookkeepingFault, Records } from '../records.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { NOTHING_TOLD } from './outbox.js';
import { claims, deviceUpdates, firmware, tasks } from './schema.js';
import type { WriteContext } from './write-queue.js';

type DoctorRecords = Pick<
  Records,
  'tellAgain' | 'endedTasksWithOpenUpdates' | 'bookkeepingFaults' | 'repairBookkeeping'
>;

/** As domain `isStopped`: what is being stopped holds no version, though its run has not ended. */
const IS_STOPPED = sql.raw(`(tasks.ended_at_ms IS NOT NULL OR tasks.cancel_requested_at_ms IS NOT NULL
  OR tasks.end_requested_at_ms IS NOT NULL OR json_extract(tasks.approval, '$.decision') IS 'rejected')`);

const COUNTED = sql`(SELECT
  sum(${deviceUpdates.status} = 'pending') AS pending, sum(${deviceUpdates.status} = 'notified') AS notified,
  sum(${deviceUpdates.status} = 'upgrading') AS upgrading, sum(${deviceUpdates.outcome} IS 'succeeded') AS succeeded,
  sum(${deviceUpdates.outcome} IS 'failed') AS failed, sum(${deviceUpdates.status} = 'cancelled') AS cancelled,
  count(*) AS total, ${deviceUpdates.taskId} AS task_id FROM ${deviceUpdates} GROUP BY ${deviceUpdates.taskId})`;

/** What the records can find out about themselves. These look at everything: for the doctor, not for requests. */
export function doctorRecords(connection: Connection): DoctorRecords {
  const { db, sqlite, writes } = connection;
  const counters = triggerCounters(connection);
  const isForgotten = sqlite
    .prepare<[string], number>('SELECT 1 FROM tasks WHERE id = ? AND forgotten_at_ms IS NOT NULL')
    .pluck();
  const wrongCounts = () =>
    db.all<{ id: string }>(sql`SELECT tasks.id AS id FROM tasks LEFT JOIN ${COUNTED} c ON c.task_id = tasks.id
      WHERE tasks.forgotten_at_ms IS NULL AND (tasks.pending, tasks.notified, tasks.upgrading, tasks.succeeded, tasks.failed, tasks.cancelled, tasks.total)
        IS NOT (coalesce(c.pending, 0), coalesce(c.notified, 0), coalesce(c.upgrading, 0), coalesce(c.succeeded, 0),
          coalesce(c.failed, 0), coalesce(c.cancelled, 0), coalesce(c.total, 0))`);
  const leaked = () =>
    db.all<{ taskId: string; sourceVersion: string }>(sql`SELECT task_id AS taskId, source_version AS sourceVersion
      FROM claims JOIN tasks ON tasks.id = claims.task_id
      WHERE released_at_ms IS NULL AND ${IS_STOPPED}`);
  const missing = () =>
    db.all<{ taskId: string; sourceVersion: string; heldBy: string | null }>(sql`
      SELECT tasks.id AS taskId, v.value AS sourceVersion, other.task_id AS heldBy
      FROM tasks JOIN firmware ON firmware.id = tasks.firmware_id, json_each(tasks.source_versions) v
      LEFT JOIN claims own ON own.task_id = tasks.id AND own.source_version = v.value AND own.released_at_ms IS NULL
      LEFT JOIN claims other ON other.product_key = tasks.product_key AND other.module = firmware.module
        AND other.source_version = v.value AND other.released_at_ms IS NULL
      WHERE tasks.kind = 'batch' AND tasks.ended_at_ms IS NULL AND NOT ${IS_STOPPED} AND own.task_id IS NULL`);

  return {
    tellAgain: (taskId) =>
      writes.run(() => {
        db.update(tasks).set(NOTHING_TOLD).where(eq(tasks.id, taskId)).run();
      }),

    async endedTasksWithOpenUpdates() {
      // As in the partial index.
      const isLeftOpen = sql`ended_at_ms IS NOT NULL AND pending + notified + upgrading > 0`;
      return db
        .select({ id: tasks.id })
        .from(tasks)
        .where(and(isLeftOpen, isNull(tasks.forgottenAtMs)))
        .all()
        .map(({ id }) => id);
    },

    async bookkeepingFaults() {
      return [
        ...wrongCounts().map(({ id }): BookkeepingFault => ({ kind: 'counts-wrong', taskId: id })),
        ...leaked().map((row): BookkeepingFault => ({ kind: 'claim-leaked', ...row })),
        ...missing().map((row): BookkeepingFault => ({ kind: 'claim-missing', ...row })),
        ...counters.failures.wrong
          .all()
          .filter((taskId) => !isForgotten.get(taskId))
          .map((taskId): BookkeepingFault => ({ kind: 'failure-counts-wrong', taskId })),
        ...counters.devices.wrong
          .all()
          .map((productKey): BookkeepingFault => ({ kind: 'device-counts-wrong', productKey })),
        ...counters.versions.wrong
          .all()
          .map((productKey): BookkeepingFault => ({ kind: 'version-counts-wrong', productKey })),
      ];
    },

    repairBookkeeping: (fault, atMs) =>
      writes.run((context) => {
        switch (fault.kind) {
          case 'failure-counts-wrong':
            return recount(counters.failures, fault.taskId);
          case 'device-counts-wrong':
            return recount(counters.devices, fault.productKey);
          case 'version-counts-wrong':
            return recount(counters.versions, fault.productKey);
          case 'counts-wrong':
            return recountTask(connection, fault.taskId, context);
          case 'claim-leaked':
          case 'claim-missing':
            context.touched(fault.taskId);
            return repairClaim(connection, fault, atMs);
        }
      }),
  };
}

function recountTask({ db }: Connection, taskId: string, { nextChange, touched }: WriteContext): true {
  touched(taskId);
  db.run(sql`UPDATE tasks SET (pending, notified, upgrading, succeeded, failed, cancelled, total) =
    (SELECT coalesce(sum(pending), 0), coalesce(sum(notified), 0), coalesce(sum(upgrading), 0),
      coalesce(sum(succeeded), 0), coalesce(sum(failed), 0), coalesce(sum(cancelled), 0), coalesce(sum(total), 0)
      FROM ${COUNTED} WHERE task_id = ${taskId}), change = ${nextChange()} WHERE id = ${taskId}`);
  return true;
}

type ClaimFault = Extract<BookkeepingFault, { kind: 'claim-leaked' | 'claim-missing' }>;

/** @returns false when another task holds the claim */
function repairClaim({ db }: Connection, fault: ClaimFault, atMs: number): boolean {
  const { kind, taskId, sourceVersion } = fault;
  if (kind === 'claim-leaked') {
    const claim = and(eq(claims.taskId, taskId), eq(claims.sourceVersion, sourceVersion));
    db.update(claims).set({ releasedAtMs: atMs }).where(claim).run();
    return true;
  }
  if (fault.heldBy !== null) return false;
  const task = db
    .select({ productKey: tasks.productKey, module: firmware.module })
    .from(tasks)
    .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
    .where(and(eq(tasks.id, taskId), isNull(tasks.endedAtMs)))
    .get();
  if (!task) return false;
  try {
    db.insert(claims)
      .values({ taskId, sourceVersion, ...task, releasedAtMs: null })
      .onConflictDoUpdate({ target: [claims.taskId, claims.sourceVersion], set: { releasedAtMs: null } })
      .run();
    return true;
  } catch (error) {
    // Another task has taken it since the look, or by a repair just now.
    if (isUniqueViolation(error)) return false;
    throw error;
  }
}

/** Counts that triggers keep: where they differ from counting, and how they are made anew. */
interface Counter {
  readonly wrong: Statement<[], string>;
  readonly drop: Statement<[string]>;
  readonly count: Statement<[string]>;
}

function recount({ drop, count }: Counter, key: string): true {
  drop.run(key);
  count.run(key);
  return true;
}

function triggerCounters({ sqlite }: Connection): Record<'failures' | 'devices' | 'versions', Counter> {
  const counter = (kept: KeptCounts): Counter => {
    const { table, by, counted, value, from } = kept;
    const columns = [by, ...counted].join(', ');
    const found = `SELECT ${columns}, count(*) AS ${value} FROM ${from} GROUP BY ${columns}`;
    const stored = `SELECT ${columns}, ${value} FROM ${table} WHERE ${value} <> 0`;
    return {
      wrong: sqlite
        .prepare<[], string>(
          `SELECT DISTINCT ${by} FROM (
            SELECT * FROM (${found} EXCEPT ${stored}) UNION ALL SELECT * FROM (${stored} EXCEPT ${found})) ORDER BY 1`,
        )
        .pluck(),
      drop: sqlite.prepare(`DELETE FROM ${table} WHERE ${by} = ?`),
      count: sqlite.prepare(`INSERT INTO ${table} (${columns}, ${value}) SELECT * FROM (${found}) WHERE ${by} = ?`),
    };
  };
  return {
    failures: counter({
      ...{ table: 'failure_counts', by: 'task_id', counted: ['cause'], value: 'count' },
      // A task that is being forgotten loses its rows piece by piece; its counts go with it.
      from: `(SELECT task_id, cause FROM device_updates WHERE cause IS NOT NULL)`,
    }),
    devices: counter({
      ...{ table: 'device_counts', by: 'product_key', counted: ['online'], value: 'devices', from: 'devices' },
    }),
    versions: counter({
      ...{ table: 'version_counts', by: 'product_key', counted: ['module', 'version'], value: 'devices' },
      from: 'device_versions',
    }),
  };
}

interface KeptCounts {
  readonly table: string;
  /** What a difference is named by, and repaired for. */
  readonly by: string;
  readonly counted: readonly string[];
  readonly value: string;
  /** What is counted. */
  readonly from: string;
}
