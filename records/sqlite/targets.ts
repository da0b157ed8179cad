import { and, eq, inArray, sql } from 'drizzle-orm';
import { FerryError } from '../../domain/errors.js';
import type { DeviceProtocol } from '../../domain/device-update.js';
import { isNewer } from '../../domain/versions.js';
import type { NewTask } from '../records.js';
import type { Connection } from './connection.js';
import type { FirmwareRow } from './rows.js';
import { devices, deviceUpdates, deviceVersions } from './schema.js';
import type { TaskDraft } from './tasks.js';
import type { WriteContext } from './write-queue.js';

/** The task whose devices are to be recorded, with its firmware. */
interface Targeting<Task = TaskDraft> {
  readonly task: Task;
  readonly firmware: FirmwareRow;
}

interface Target {
  readonly deviceName: string;
  readonly protocol: DeviceProtocol;
  readonly attempt: number;
}

interface DeviceProblem {
  readonly deviceName: string;
  readonly problem: string;
}

/** SQLite takes at most 32,766 bound values a statement. */
const NAMES_A_QUERY = 1_000;
const PROBLEMS_SHOWN_MAX = 20;

/**
 * Of a row `d`. A revoked device, and one that was deleted, can't come online: it would hold its task open to the last
 * of its time limit.
 */
const MAY_SIGN_IN = `EXISTS (SELECT 1 FROM devices r WHERE r.product_key = d.product_key
  AND r.device_name = d.device_name AND r.revoked_at_ms IS NULL)`;

/** All devices of the product that run one of the source versions, and may sign in. */
export function insertRunning(connection: Connection, { task, firmware }: Targeting, context: WriteContext): void {
  const from = `device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
    WHERE v.product_key = ? AND v.module = ? AND v.version IN (${task.sourceVersions.map(() => '?').join(', ')})
      AND d.revoked_at_ms IS NULL`;
  const which = [firmware.productKey, firmware.module, ...task.sourceVersions];
  insertSelected(connection, { task, firmware, attempt: '1', from, which }, context);
}

/** All failed devices of an ended task that may sign in, each for one attempt more. */
export function insertFailed(
  connection: Connection,
  { task, firmware, of }: Targeting & { readonly of: string },
  context: WriteContext,
): void {
  const from = `device_updates d WHERE d.task_id = ? AND d.outcome = 'failed' AND ${MAY_SIGN_IN}`;
  insertSelected(connection, { task, firmware, attempt: 'd.attempt + 1', from, which: [of] }, context);
}

interface Selection extends Targeting {
  /** SQL; the devices' columns are those of `d`. */
  readonly attempt: string;
  readonly from: string;
  /** What is bound in `from`. */
  readonly which: readonly string[];
}

/** Two statements, however many devices: one by one, 100,000 would hold up every other write for seconds. */
function insertSelected(
  { sqlite }: Connection,
  { task, firmware, attempt, from, which }: Selection,
  { nextChanges }: WriteContext,
): void {
  const found = sqlite.prepare<string[], { count: number }>(`SELECT count(*) AS count FROM ${from}`).get(...which);
  sqlite
    .prepare(
      `INSERT INTO device_updates (task_id, product_key, module, created_at_ms, attempt, device_name, protocol, ordinal, change)
       SELECT ?, ?, ?, ?, ${attempt}, d.device_name, d.protocol, row_number() OVER by_name - 1, row_number() OVER by_name - 1 + ?
       FROM ${from} WINDOW by_name AS (ORDER BY d.device_name)`,
    )
    .run(task.id, firmware.productKey, firmware.module, task.createdAtMs, nextChanges(found?.count ?? 0), ...which);
}

export function insertTargets(
  { sqlite }: Connection,
  { task, firmware }: Targeting,
  targets: readonly Target[],
  { nextChange }: WriteContext,
): void {
  const insert = sqlite.prepare(
    `INSERT INTO device_updates (task_id, product_key, module, created_at_ms, attempt, device_name, protocol, ordinal, change)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const shared = [task.id, firmware.productKey, firmware.module, task.createdAtMs];
  targets.forEach(({ attempt, deviceName, protocol }, ordinal) => {
    insert.run(...shared, attempt, deviceName, protocol, ordinal, nextChange());
  });
}

/**
 * The devices that the operator has listed, each checked.
 *
 * @throws FerryError `devices-invalid` naming each, `downgrade-not-allowed`
 */
export function listedTargets(connection: Connection, { task, firmware }: Targeting<NewTask>): Target[] {
  const names = [...(task.deviceNames ?? [])].sort();
  const known = lookUp(connection, firmware, names);
  const problems: DeviceProblem[] = [];
  names.forEach((deviceName, i) => {
    const problem = problemOf(task, known.get(deviceName), names[i - 1] === deviceName);
    if (problem !== undefined) problems.push({ deviceName, problem });
  });
  if (problems.length > 0) throw invalidDevices(problems);
  const newer = [...known.values()].filter(
    ({ version }) => version !== null && isNewer(version, firmware.version),
  );
  if (newer.length > 0 && !task.policy.allowDowngrade) {
    throw downgrade(
      firmware,
      newer
        .map(({ deviceName, version }) => `${deviceName} runs ${version ?? ''}, which`)
        .slice(0, 3)
        .join('; '),
    );
  }
  return names.map((deviceName) => ({ deviceName, protocol: known.get(deviceName)?.protocol ?? 'mqtt', attempt: 1 }));
}

export const downgrade = (row: Pick<FirmwareRow, 'version'>, newer: string): FerryError =>
  new FerryError(
    'downgrade-not-allowed',
    `${newer} is newer than the firmware's version ${row.version}; set policy.allowDowngrade to update all the same.`,
    { errors: [{ field: 'policy.allowDowngrade', message: 'must be true for a downgrade' }] },
  );

interface KnownDevice {
  readonly deviceName: string;
  readonly protocol: DeviceProtocol;
  readonly version: string | null;
  readonly revokedAtMs: number | null;
}

const REVOKED = 'is revoked; restore it first';

function problemOf(task: NewTask, device: KnownDevice | undefined, isRepeated: boolean): string | undefined {
  if (isRepeated) return 'is listed twice';
  if (device === undefined) return 'does not exist';
  if (device.revokedAtMs !== null) return REVOKED;
  if (task.kind === 'verification' || task.sourceVersions.includes(device.version ?? '')) return undefined;
  return device.version === null
    ? 'has not reported its version'
    : `runs ${device.version}, which is none of the source versions`;
}

const invalidDevices = (problems: readonly DeviceProblem[]): FerryError => {
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ deviceName, problem }) => `${deviceName} ${problem}`);
  return new FerryError('devices-invalid', `deviceNames: ${problems.length} can't be updated: ${shown.join('; ')}.`, {
    devices: problems,
  });
};

function lookUp(
  { db }: Connection,
  { productKey, module }: FirmwareRow,
  names: readonly string[],
): Map<string, KnownDevice> {
  const known = new Map<string, KnownDevice>();
  for (let from = 0; from < names.length; from += NAMES_A_QUERY) {
    const rows = db
      .select({
        ...{ deviceName: devices.deviceName, protocol: devices.protocol, version: deviceVersions.version },
        revokedAtMs: devices.revokedAtMs,
      })
      .from(devices)
      .leftJoin(
        deviceVersions,
        and(
          eq(deviceVersions.productKey, devices.productKey),
          eq(deviceVersions.deviceName, devices.deviceName),
          eq(deviceVersions.module, module),
        ),
      )
      .where(
        and(eq(devices.productKey, productKey), inArray(devices.deviceName, names.slice(from, from + NAMES_A_QUERY))),
      )
      .all();
    for (const row of rows) known.set(row.deviceName, row);
  }
  return known;
}

/**
 * The named ones of an ended task's failed devices, each for one attempt more.
 *
 * @throws FerryError `devices-invalid` naming each that has not failed, is listed twice or revoked
 */
export function failedTargets({ db }: Connection, taskId: string, deviceNames: readonly string[]): Target[] {
  // `+`: each name is looked up, not among all that have failed, which may be a quarter of a million.
  const isNamed = sql`${deviceUpdates.deviceName} IN (SELECT value FROM json_each(${JSON.stringify(deviceNames)}))`;
  const failed = new Map(
    db
      .select({
        deviceName: deviceUpdates.deviceName,
        protocol: deviceUpdates.protocol,
        attempt: deviceUpdates.attempt,
        registered: devices.deviceName,
        revokedAtMs: devices.revokedAtMs,
      })
      .from(deviceUpdates)
      .leftJoin(
        devices,
        and(eq(devices.productKey, deviceUpdates.productKey), eq(devices.deviceName, deviceUpdates.deviceName)),
      )
      .where(and(eq(deviceUpdates.taskId, taskId), isNamed, sql`+${deviceUpdates.outcome} = 'failed'`))
      .all()
      .map((target) => [target.deviceName, { ...target, attempt: target.attempt + 1 }]),
  );
  const names = [...deviceNames].sort();
  const problems = names.flatMap((deviceName, i): DeviceProblem[] => {
    if (names[i - 1] === deviceName) return [{ deviceName, problem: 'is listed twice' }];
    const target = failed.get(deviceName);
    if (target === undefined) return [{ deviceName, problem: `has not failed in task ${taskId}` }];
    if (target.registered === null) return [{ deviceName, problem: 'was deleted' }];
    return target.revokedAtMs === null ? [] : [{ deviceName, problem: REVOKED }];
  });
  if (problems.length > 0) throw invalidDevices(problems);
  return names.flatMap((deviceName) => failed.get(deviceName) ?? []);
}

/** @throws FerryError `nothing-to-reinitiate` */
export function requireFailed({ sqlite }: Connection, taskId: string): void {
  const failed = `SELECT 1 FROM device_updates d WHERE d.task_id = ? AND d.outcome = 'failed' AND ${MAY_SIGN_IN} LIMIT 1`;
  if (sqlite.prepare(failed).get(taskId) !== undefined) return;
  throw new FerryError('nothing-to-reinitiate', `Task ${taskId} has no failed devices that may sign in.`);
}
