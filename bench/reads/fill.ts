import type Database from 'better-sqlite3';
import { DEFAULT_POLICY } from '../../domain/policy.js';

export interface Sizes {
  readonly tasks: number;
  /** Over all tasks. */
  readonly deviceUpdates: number;
  /** Of the one large task; every second one has failed. */
  readonly largest: number;
  /** Of the one large batch that is under way. */
  readonly open: number;
}

export const PRODUCT = 'bench';
/** Ended; it has half of all device updates. */
export const LARGEST = 'task-0';
/** Under way: a few of its devices at work, the rest waits for its turn or is offline. */
export const OPEN = 'task-1';
const MINUTE_MS = 60_000;
const FAILED_EVERY = 4;
const VERSIONS_A_TASK = 3;

/** By SQL: through the records, a million device updates would take an hour. */
export function fill(db: Database.Database, sizes: Sizes): void {
  db.pragma('foreign_keys = OFF');
  db.transaction(() => {
    db.prepare('INSERT INTO products (product_key, name, created_at_ms) VALUES (?, ?, 1)').run(PRODUCT, 'Bench');
    fillDevices(db, sizes);
    const [task, update] = [taskInsert(db), updateInsert(db)];
    taskSizes(sizes).forEach((devices, t) => {
      task(t, devices);
      for (let d = 0; d < devices; d++) update(t, d);
    });
    db.exec(
      `INSERT INTO failure_counts SELECT task_id, cause, count(*) FROM device_updates WHERE cause IS NOT NULL GROUP BY 1, 2`,
    );
    db.exec(`UPDATE change_counter SET value = ${sizes.deviceUpdates + 1}`);
  })();
}

/** Large, open, and the rest of uneven sizes, from one device to twice the mean. */
function taskSizes({ tasks, deviceUpdates, largest, open }: Sizes): number[] {
  const sizes = [largest, open];
  let left = deviceUpdates - largest - open;
  for (let t = sizes.length; t < tasks; t++) {
    const mean = left / (tasks - t);
    const devices = t === tasks - 1 ? left : 1 + (Math.floor(t * mean * 7.9) % Math.max(1, Math.floor(2 * mean - 1)));
    sizes.push(devices);
    left -= devices;
  }
  return sizes;
}

/** All are online but those that the open batch waits for. */
function fillDevices(db: Database.Database, { largest, open }: Sizes): void {
  const device = db.prepare(
    `INSERT INTO devices (product_key, device_name, device_secret, protocol, online, created_at_ms) VALUES (?, ?, 's', 'mqtt', ?, 1)`,
  );
  const version = db.prepare(
    `INSERT INTO device_versions (product_key, device_name, module, version, reported_at_ms) VALUES (?, ?, 'default', ?, 1)`,
  );
  for (let d = 0; d < largest; d++) {
    const isOnline = d >= open || countedAs(1, d) !== 'pending';
    device.run(PRODUCT, `device-${d}`, Number(isOnline));
    version.run(PRODUCT, `device-${d}`, `1.0.${d % 10}`);
  }
}

function taskInsert(db: Database.Database): (t: number, devices: number) => void {
  const firmware = db.prepare(
    `INSERT INTO firmware (id, name, product_key, module, version, size_bytes, sign_method, sign, sha256, created_at_ms, verified_at_ms)
     VALUES (?, 'bench', '${PRODUCT}', 'default', ?, 3, 'SHA256', ?, ?, 1, 1)`,
  );
  const task = db.prepare(
    `INSERT INTO tasks (id, kind, status, firmware_id, product_key, source_versions, policy, run_id, start_delivered, created_at_ms,
       started_at_ms, ended_at_ms, pending, notified, upgrading, succeeded, failed, total, change)
     VALUES (?, 'batch', ?, ?, '${PRODUCT}', ?, ?, 'run', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const claim = db.prepare(
    `INSERT INTO claims (task_id, product_key, module, source_version, released_at_ms) VALUES (?, '${PRODUCT}', 'default', ?, ?)`,
  );
  const policy = JSON.stringify(DEFAULT_POLICY.batch);
  return (t, devices) => {
    const isOpen = t === 1;
    const [atMs, endedAtMs] = [t * MINUTE_MS, isOpen ? null : (t + 1) * MINUTE_MS];
    const versions = Array.from({ length: VERSIONS_A_TASK }, (_, v) => `1.0.${isOpen ? v : (t + v) % 100}`);
    const digest = `${t}`.padStart(64, '0');
    firmware.run(`firmware-${t}`, `2.0.${t}`, digest, digest);
    const counts = { pending: 0, notified: 0, upgrading: 0, succeeded: 0, failed: 0 };
    for (let d = 0; d < devices; d++) counts[countedAs(t, d)]++;
    const { pending, notified, upgrading, succeeded, failed } = counts;
    task.run(
      ...[`task-${t}`, isOpen ? 'running' : 'completed', `firmware-${t}`, JSON.stringify(versions), policy],
      ...[atMs, atMs, endedAtMs, pending, notified, upgrading, succeeded, failed, devices, t + 1],
    );
    for (const version of versions) claim.run(`task-${t}`, version, endedAtMs);
  };
}

function countedAs(t: number, d: number): 'pending' | 'notified' | 'upgrading' | 'succeeded' | 'failed' {
  if (t === 1) return d % 100 === 0 ? 'notified' : d % 100 === 1 ? 'upgrading' : 'pending';
  return d % (t === 0 ? 2 : FAILED_EVERY) === 0 ? 'failed' : 'succeeded';
}

function updateInsert(db: Database.Database): (t: number, d: number) => void {
  const ended = db.prepare(
    `INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, status, outcome, cause, detail, step,
       begun_at_ms, notified_at_ms, notifications, started_at_ms, last_progress_at_ms, hundred_at_ms, ended_at_ms, created_at_ms, run_id, change)
     VALUES (?, ?, '${PRODUCT}', ?, 'default', 'mqtt', 1, 'completed', ?, ?, ?, 100, ?, ?, 1, ?, ?, ?, ?, ?, 'run', ?)`,
  );
  const open = db.prepare(
    `INSERT INTO device_updates (task_id, ordinal, product_key, device_name, module, protocol, attempt, status, step,
       begun_at_ms, notified_at_ms, notifications, started_at_ms, last_progress_at_ms, created_at_ms, run_id, change)
     VALUES (?, ?, '${PRODUCT}', ?, 'default', 'mqtt', 1, ?, ?, ?, ?, ?, ?, ?, ?, 'run', ?)`,
  );
  let change = 0;
  return (t, d) => {
    const place = [`task-${t}`, d, `device-${d}`] as const;
    const [atMs, counted] = [t * MINUTE_MS + (d % MINUTE_MS), countedAs(t, d)];
    change++;
    if (counted === 'succeeded' || counted === 'failed') {
      const [cause, detail] =
        counted === 'failed'
          ? [d % 8 === 0 ? 'download-failed' : 'update-failed', 'The device could not update.']
          : [null, null];
      ended.run(...place, counted, cause, detail, atMs, atMs, atMs, atMs, atMs, atMs, atMs, change);
      return;
    }
    const sent = counted === 'pending' ? null : atMs;
    const progress = counted === 'upgrading' ? atMs : null;
    // The pending ones are those that are offline, and have begun: they wait to come online.
    open.run(...place, counted, progress && 50, atMs, sent, sent === null ? 0 : 1, progress, progress, atMs, change);
  };
}
