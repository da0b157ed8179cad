import type { Statement } from 'better-sqlite3';
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { BookkeepingFault, Records } from '../records.js';
import { readAside } from './aside.js';
import { isUniqueViolation, type Connection } from './connection.js';
import { NOTHING_TOLD } from './outbox.js';
import { claims, firmware, tasks } from './schema.js';
import type { WriteContext } from './write-queue.js';

type DoctorRecords = Pick<
  Records,
  'tellAgain' | 'endedTasksWithOpenUpdates' | 'bookkeepingFaults' | 'repairBookkeeping'
>;

/** As domain `isStopped`: what is being stopped holds no version, though its run has not ended. */
const IS_STOPPED = `(tasks.ended_at_ms IS NOT NULL OR tasks.cancel_requested_at_ms IS NOT NULL
  OR tasks.end_requested_at_ms IS NOT NULL OR json_extract(tasks.approval, '$.decision') IS 'rejected')`;

const COUNTED = `(SELECT
  sum(status = 'pending') AS pending, sum(status = 'notified') AS notified,
  sum(status = 'upgrading') AS upgrading, sum(outcome IS 'succeeded') AS succeeded,
  sum(outcome IS 'failed') AS failed, sum(status = 'cancelled') AS cancelled,
  count(*) AS total, task_id FROM device_updates GROUP BY task_id)`;

const WRONG_COUNTS = `SELECT tasks.id AS taskId FROM tasks LEFT JOIN ${COUNTED} c ON c.task_id = tasks.id
  WHERE tasks.forgotten_at_ms IS NULL AND (tasks.pending, tasks.notified, tasks.upgrading, tasks.succeeded, tasks.failed, tasks.cancelled, tasks.total)
    IS NOT (coalesce(c.pending, 0), coalesce(c.notified, 0), coalesce(c.upgrading, 0), coalesce(c.succeeded, 0),
      coalesce(c.failed, 0), coalesce(c.cancelled, 0), coalesce(c.total, 0))`;

const LEAKED_CLAIMS = `SELECT task_id AS taskId, source_version AS sourceVersion
  FROM claims JOIN tasks ON tasks.id = claims.task_id
  WHERE released_at_ms IS NULL AND ${IS_STOPPED}`;

const MISSING_CLAIMS = `SELECT tasks.id AS taskId, v.value AS sourceVersion, other.task_id AS heldBy
  FROM tasks JOIN firmware ON firmware.id = tasks.firmware_id, json_each(tasks.source_versions) v
  LEFT JOIN claims own ON own.task_id = tasks.id AND own.source_version = v.value AND own.released_at_ms IS NULL
  LEFT JOIN claims other ON other.product_key = tasks.product_key AND other.module = firmware.module
    AND other.source_version = v.value AND other.released_at_ms IS NULL
  WHERE tasks.kind = 'batch' AND tasks.ended_at_ms IS NULL AND NOT ${IS_STOPPED} AND own.task_id IS NULL`;

const FORGOTTEN_TASKS = 'SELECT id FROM tasks WHERE forgotten_at_ms IS NOT NULL';

/** What the records can find out about themselves. This looks at everything, in a thread of its own. */
export function doctorRecords(connection: Connection): DoctorRecords {
  const { db, sqlite, writes } = connection;
  const counters = triggerCounters(connection);
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
      const { failures, devices, versions } = counters;
      const looks: readonly (readonly [BookkeepingFault['kind'], string])[] = [
        ['counts-wrong', WRONG_COUNTS],
        ['claim-leaked', LEAKED_CLAIMS],
        ['claim-missing', MISSING_CLAIMS],
        ['failure-counts-wrong', `SELECT * FROM (${failures.wrong}) WHERE taskId NOT IN (${FORGOTTEN_TASKS})`],
        ['device-counts-wrong', devices.wrong],
        ['version-counts-wrong', versions.wrong],
      ];
      const found = await readAside(
        sqlite.name,
        looks.map(([, query]) => query),
      );
      return looks.flatMap(([kind], n) =>
        (found[n] ?? []).map((row) => ({ kind, ...(row as object) }) as BookkeepingFault),
      );
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
      FROM ${sql.raw(COUNTED)} WHERE task_id = ${taskId}), change = ${nextChange()} WHERE id = ${taskId}`);
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
  /** A query. */
  readonly wrong: string;
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
    const { table, by, name, counted, value, from } = kept;
    const columns = [by, ...counted].join(', ');
    const found = `SELECT ${columns}, count(*) AS ${value} FROM ${from} GROUP BY ${columns}`;
    const stored = `SELECT ${columns}, ${value} FROM ${table} WHERE ${value} <> 0`;
    return {
      wrong: `SELECT DISTINCT ${by} AS ${name} FROM (
        SELECT * FROM (${found} EXCEPT ${stored}) UNION ALL SELECT * FROM (${stored} EXCEPT ${found})) ORDER BY 1`,
      drop: sqlite.prepare(`DELETE FROM ${table} WHERE ${by} = ?`),
      count: sqlite.prepare(`INSERT INTO ${table} (${columns}, ${value}) SELECT * FROM (${found}) WHERE ${by} = ?`),
    };
  };
  const ofProduct = { by: 'product_key', name: 'productKey', value: 'devices' };
  return {
    failures: counter({
      table: 'failure_counts',
      by: 'task_id',
      name: 'taskId',
      counted: ['cause'],
      value: 'count',
      // A task that is being forgotten loses its rows piece by piece; its counts go with it.
      from: `(SELECT task_id, cause FROM device_updates WHERE cause IS NOT NULL)`,
    }),
    devices: counter({ ...ofProduct, table: 'device_counts', counted: ['online'], from: 'devices' }),
    versions: counter({
      ...ofProduct,
      table: 'version_counts',
      counted: ['module', 'version'],
      from: 'device_versions',
    }),
  };
}

interface KeptCounts {
  readonly table: string;
  /** What a difference is named by, and repaired for. */
  readonly by: string;
  /** The same as the fault has it. */
  readonly name: string;
  readonly counted: readonly string[];
  readonly value: string;
  /** What is counted. */
  readonly from: string;
}
