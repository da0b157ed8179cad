import { and, asc, eq, inArray } from 'drizzle-orm';
import { FerryError } from '../../domain/errors.js';
import type { DeviceProtocol } from '../../domain/device-update.js';
import { compareVersions } from '../../domain/versions.js';
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

/** All devices of the product that run one of the source versions: two statements, however many they are. */
export function insertRunning(
  { sqlite }: Connection,
  { task, firmware }: Targeting,
  { nextChanges }: WriteContext,
): void {
  const running = `device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
    WHERE v.product_key = ? AND v.module = ? AND v.version IN (${task.sourceVersions.map(() => '?').join(', ')})`;
  const which = [firmware.productKey, firmware.module, ...task.sourceVersions];
  const found = sqlite.prepare<string[], { count: number }>(`SELECT count(*) AS count FROM ${running}`).get(...which);
  sqlite
    .prepare(
      `INSERT INTO device_updates (task_id, product_key, module, created_at_ms, attempt, device_name, protocol, ordinal, change)
       SELECT ?, ?, ?, ?, 1, d.device_name, d.protocol, row_number() OVER by_name - 1, row_number() OVER by_name - 1 + ?
       FROM ${running} WINDOW by_name AS (ORDER BY d.device_name)`,
    )
    .run(task.id, firmware.productKey, firmware.module, task.createdAtMs, nextChanges(found?.count ?? 0), ...which);
}

export function insertTargets(
  { db }: Connection,
  { task, firmware }: Targeting,
  targets: readonly Target[],
  { nextChange }: WriteContext,
): void {
  const { productKey, module } = firmware;
  const shared = { taskId: task.id, productKey, module, createdAtMs: task.createdAtMs };
  targets.forEach((target, ordinal) => {
    db.insert(deviceUpdates)
      .values({ ...shared, ...target, ordinal, change: nextChange() })
      .run();
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
    ({ version }) => version !== null && compareVersions(version, firmware.version) > 0,
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
}

function problemOf(task: NewTask, device: KnownDevice | undefined, isRepeated: boolean): string | undefined {
  if (isRepeated) return 'is listed twice';
  if (device === undefined) return 'does not exist';
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
      .select({ deviceName: devices.deviceName, protocol: devices.protocol, version: deviceVersions.version })
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
 * The failed devices of an ended task, all or those named; each for one attempt more.
 *
 * @throws FerryError `nothing-to-reinitiate`, `devices-invalid`
 */
export function failedDevices({ db }: Connection, taskId: string, deviceNames: readonly string[] | null): Target[] {
  const failed = db
    .select({
      deviceName: deviceUpdates.deviceName,
      protocol: deviceUpdates.protocol,
      attempt: deviceUpdates.attempt,
    })
    .from(deviceUpdates)
    .where(and(eq(deviceUpdates.taskId, taskId), eq(deviceUpdates.outcome, 'failed')))
    .orderBy(asc(deviceUpdates.deviceName))
    .all()
    .map((target) => ({ ...target, attempt: target.attempt + 1 }));
  if (failed.length === 0) {
    throw new FerryError('nothing-to-reinitiate', `Task ${taskId} has no failed devices.`);
  }
  if (deviceNames === null) return failed;
  const byName = new Map(failed.map((target) => [target.deviceName, target]));
  const problems = deviceNames
    .filter((deviceName) => !byName.has(deviceName))
    .map((deviceName) => ({ deviceName, problem: `has not failed in task ${taskId}` }));
  if (problems.length > 0) throw invalidDevices(problems);
  return [...new Set(deviceNames)].sort().flatMap((deviceName) => byName.get(deviceName) ?? []);
}
