import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { DEFAULT_POLICY } from '../../domain/policy.js';
import { createSealer } from '../../records/sealing.js';
import { openSqliteRecords } from '../../records/sqlite/sqlite-records.js';
import { PROJECT_FOLDER } from '../../worker/paths.js';
import { percentile } from '../lib/stats.js';

export interface ReadOptions {
  readonly tasks: number;
  readonly devicesATask: number;
  /** Times that each question is asked. */
  readonly repeats: number;
}

const FAILED_EVERY = 4;

/** What operators ask of large records, by the records and by the bare query: p99 of each, in ms. */
export async function runReads({ tasks, devicesATask, repeats }: ReadOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'ferry-bench-reads-'));
  const path = join(folder, 'ferry.db');
  const records = openSqliteRecords({
    path,
    synchronous: 'normal',
    sealer: createSealer([randomBytes(32)]),
    migrationsFolder: join(PROJECT_FOLDER, 'records', 'migrations'),
  });
  const db = new Database(path);
  try {
    fill(db, { tasks, devicesATask });
    const failed = Math.floor(devicesATask / FAILED_EVERY);
    // The page that begins in the middle of the largest task's failures.
    const middle = await cursorAt(records, `task-0`, Math.floor(failed / 2 / 50));
    const questions: Record<string, { ours: () => Promise<unknown>; bare: Database.Statement }> = {
      'task list': {
        ours: () => records.listTasks({}, { limit: 50 }),
        bare: db.prepare(
          'SELECT * FROM tasks JOIN firmware ON firmware.id = tasks.firmware_id ORDER BY tasks.created_at_ms DESC, tasks.id DESC LIMIT 51',
        ),
      },
      'task with counts': {
        ours: () => records.getTask('task-0'),
        bare: db.prepare(
          "SELECT * FROM tasks JOIN firmware ON firmware.id = tasks.firmware_id WHERE tasks.id = 'task-0'",
        ),
      },
      'failure list, first page': {
        ours: () => records.listDeviceUpdates('task-0', { outcome: 'failed' }, { limit: 50 }),
        bare: db.prepare(
          "SELECT * FROM device_updates WHERE task_id = 'task-0' AND outcome = 'failed' ORDER BY ordinal LIMIT 51",
        ),
      },
      'failure list, middle page': {
        ours: () => records.listDeviceUpdates('task-0', { outcome: 'failed' }, { limit: 50, cursor: middle }),
        bare: db.prepare(
          `SELECT * FROM device_updates WHERE task_id = 'task-0' AND outcome = 'failed' AND ordinal > ${Math.floor(devicesATask / 2)} ORDER BY ordinal LIMIT 51`,
        ),
      },
      'device history': {
        ours: () => records.listDeviceHistory({ productKey: 'bench', deviceName: 'device-7' }, { limit: 50 }),
        bare: db.prepare(
          "SELECT * FROM device_updates WHERE product_key = 'bench' AND device_name = 'device-7' ORDER BY id DESC LIMIT 51",
        ),
      },
      'conflict check': {
        ours: () => records.listConflicts('bench', 'default'),
        bare: db.prepare(
          "SELECT * FROM claims JOIN tasks ON tasks.id = claims.task_id JOIN firmware ON firmware.id = tasks.firmware_id WHERE claims.product_key = 'bench' AND claims.module = 'default' AND claims.released_at_ms IS NULL",
        ),
      },
    };
    const results: Record<string, { 'Ferry p99 ms': number; 'bare p99 ms': number; ratio: number }> = {};
    for (const [name, { ours, bare }] of Object.entries(questions)) {
      const times = { ours: [] as number[], bare: [] as number[] };
      for (let n = 0; n < repeats; n++) {
        const begun = performance.now();
        await ours();
        const between = performance.now();
        bare.all();
        times.ours.push(between - begun);
        times.bare.push(performance.now() - between);
      }
      const [mine, other] = [percentile(times.ours, 0.99), percentile(times.bare, 0.99)];
      results[name] = { 'Ferry p99 ms': mine, 'bare p99 ms': other, ratio: mine / other };
    }
    return results;
  } finally {
    db.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function cursorAt(records: ReturnType<typeof openSqliteRecords>, taskId: string, page: number) {
  let cursor: string | undefined;
  for (let n = 0; n < page; n++) {
    const found = await records.listDeviceUpdates(taskId, { outcome: 'failed' }, { limit: 50, cursor });
    cursor = found.nextCursor ?? cursor;
  }
  return cursor;
}

/** By SQL: through the records, a million device updates would take an hour. */
function fill(db: Database.Database, { tasks, devicesATask }: Omit<ReadOptions, 'repeats'>): void {
  const policy = JSON.stringify(DEFAULT_POLICY.batch);
  const failed = Math.floor(devicesATask / FAILED_EVERY);
  db.pragma('foreign_keys = OFF');
  db.transaction(() => {
    db.prepare("INSERT INTO products (product_key, name, created_at_ms) VALUES ('bench', 'Bench', 1)").run();
    const firmware = db.prepare(
      `INSERT INTO firmware (id, name, product_key, module, version, size_bytes, sign_method, sign, sha256, created_at_ms, verified_at_ms)
       VALUES (?, 'bench', 'bench', 'default', ?, 3, 'SHA256', 'ab', 'ab', 1, 1)`,
    );
    const task = db.prepare(
      `INSERT INTO tasks (id, kind, status, firmware_id, product_key, source_versions, policy, created_at_ms, started_at_ms, ended_at_ms, succeeded, failed, total, change)
       VALUES (?, 'batch', 'completed', ?, 'bench', '["1.0.0"]', ?, ?, 1, 2, ?, ?, ?, ?)`,
    );
    const update = db.prepare(
      `INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, status, outcome, cause, detail, step, ended_at_ms, created_at_ms, run_id, change)
       VALUES (?, ?, 'bench', ?, 'default', 'mqtt', 1, 'completed', ?, ?, ?, 100, 2, 1, 'run', ?)`,
    );
    for (let t = 0; t < tasks; t++) {
      firmware.run(`firmware-${t}`, `${t}`);
      task.run(`task-${t}`, `firmware-${t}`, policy, t, devicesATask - failed, failed, devicesATask, t);
      for (let d = 0; d < devicesATask; d++) {
        const isFailed = d % FAILED_EVERY === 0;
        const [cause, detail] = isFailed ? ['update-failed', 'The device could not update.'] : [null, null];
        update.run(`task-${t}`, d, `device-${d}`, isFailed ? 'failed' : 'succeeded', cause, detail, t);
      }
    }
  })();
  db.exec('ANALYZE');
}
