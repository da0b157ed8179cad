import { randomBytes } from 'node:crypto';
import Database from 'better-sqlite3';
import { DEFAULT_POLICY } from '../../domain/policy.js';
import { createSealer } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { join } from 'node:path';
import { PROJECT_FOLDER } from '../../worker/paths.js';

export interface History {
  readonly tasks: number;
  readonly devicesATask: number;
  /** Devices that take turns in the tasks. */
  readonly fleet: number;
}

export const KEPT_DAYS = 90;
const DAY_MS = 24 * 3_600_000;
/** An eighth more than is kept: a ninth of the tasks is due. */
const DAYS = (KEPT_DAYS * 9) / 8;
const FAILED_EVERY = 20;
const FIRMWARE = 10;

/** A records database of ended tasks, evenly over the days, in one file without a log beside it. */
export async function writeHistory(path: string, history: History): Promise<void> {
  const records = openSqliteRecords({
    ...{ path, synchronous: 'normal', sealer: createSealer([randomBytes(32)]) },
    migrationsFolder: join(PROJECT_FOLDER, 'records', 'migrations'),
  });
  await records.close();
  const db = new Database(path);
  for (const pragma of ['journal_mode = OFF', 'synchronous = OFF', 'foreign_keys = OFF', 'cache_size = -500000']) {
    db.pragma(pragma);
  }
  // Indexes are built faster afterwards than row by row.
  const indexes = db
    .prepare<[], { name: string; sql: string }>(
      "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'device_updates' AND sql IS NOT NULL",
    )
    .all();
  for (const { name } of indexes) db.exec(`DROP INDEX ${name}`);
  db.transaction(() => fill(db, history))();
  for (const { sql } of indexes) db.exec(sql);
  db.close();
}

function fill(db: Database.Database, { tasks, devicesATask, fleet }: History): void {
  const policy = JSON.stringify(DEFAULT_POLICY.batch);
  const failed = Math.floor(devicesATask / FAILED_EVERY);
  db.prepare("INSERT INTO products (product_key, name, created_at_ms) VALUES ('history', 'History', 1)").run();
  const firmware = db.prepare(
    `INSERT INTO firmware (id, name, product_key, module, version, size_bytes, sign_method, sign, sha256, created_at_ms, verified_at_ms)
     VALUES (?, 'history', 'history', 'default', ?, 3, 'SHA256', 'ab', 'ab', 1, 1)`,
  );
  for (let n = 0; n < FIRMWARE; n++) firmware.run(`firmware-${n}`, `${n}`);
  const task = db.prepare(
    `INSERT INTO tasks (id, kind, status, firmware_id, product_key, source_versions, policy, run_id, created_at_ms, started_at_ms, ended_at_ms, start_delivered, succeeded, failed, total, change)
     VALUES (?, 'batch', 'completed', ?, 'history', '["1.0.0"]', ?, 'run', ?, ?, ?, 1, ?, ?, ?, ?)`,
  );
  const claim = db.prepare(
    "INSERT INTO claims (task_id, product_key, module, source_version, released_at_ms) VALUES (?, 'history', 'default', '1.0.0', ?)",
  );
  const updates = db.prepare(
    `WITH RECURSIVE place(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM place WHERE n + 1 < CAST(:devices AS INTEGER))
     INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, status, outcome, cause, detail, step, begun_at_ms, notified_at_ms, notifications, started_at_ms, last_progress_at_ms, hundred_at_ms, ended_at_ms, created_at_ms, run_id, change)
     SELECT :task, n, 'history', 'device-' || CAST((:first + n) % :fleet AS INTEGER), 'default', 'mqtt', 1, 'completed',
       iif(n % ${FAILED_EVERY}, 'succeeded', 'failed'), iif(n % ${FAILED_EVERY}, NULL, 'update-failed'),
       iif(n % ${FAILED_EVERY}, NULL, 'The device could not carry out the update.'),
       100, :at, :at, 1, :at, :at, :at, :at, :at, hex(randomblob(18)), CAST(:change AS INTEGER) + n FROM place`,
  );
  const nowMs = Date.now();
  for (let t = 0; t < tasks; t++) {
    const [id, at] = [`task-${t}`, Math.round(nowMs - DAYS * DAY_MS * (1 - t / tasks))];
    const change = t * (devicesATask + 1) + 1;
    task.run(id, `firmware-${t % FIRMWARE}`, policy, at, at, at, devicesATask - failed, failed, devicesATask, change);
    claim.run(id, at);
    updates.run({ task: id, devices: devicesATask, first: t * devicesATask, fleet, at, change: change + 1 });
  }
  db.prepare('UPDATE change_counter SET value = ?').run(tasks * (devicesATask + 1) + 1);
}
