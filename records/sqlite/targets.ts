import { setImmediate } from 'node:timers/promises';
import { FerryError } from '../../domain/errors.js';
import { BATCH_DEVICES_MAX } from '../../domain/policy.js';
import { isNewer } from '../../domain/versions.js';
import type { NewTask } from '../records.js';
import type { Connection } from './connection.js';
import type { FirmwareRow } from './rows.js';
import type { TaskDraft } from './tasks.js';
import type { WriteContext } from './write-queue.js';

/** The task whose devices are to be recorded, with its firmware. */
interface Targeting<Task = TaskDraft> {
  readonly task: Task;
  readonly firmware: FirmwareRow;
}

interface DeviceProblem {
  readonly deviceName: string;
  readonly problem: string;
}

/** Devices that a refusal lists, and those of them that its sentence names. */
const PROBLEMS_NAMED_MAX = 100;
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
  /** How many there are at most; else they are counted. */
  readonly countMax?: number;
}

/** Two statements, however many devices: one by one, 100,000 would hold up every other write for seconds. */
function insertSelected(
  { sqlite }: Connection,
  { task, firmware, attempt, from, which, countMax }: Selection,
  { nextChanges }: WriteContext,
): number {
  const counted = () => {
    const count =
      sqlite
        .prepare<string[], number>(`SELECT count(*) FROM ${from}`)
        .pluck()
        .get(...which) ?? 0;
    requireNotTooMany(count, task.devicesMax);
    return count;
  };
  const { changes } = sqlite
    .prepare(
      `INSERT INTO device_updates (task_id, product_key, module, created_at_ms, attempt, device_name, protocol, ordinal, change)
       SELECT ?, ?, ?, ?, ${attempt}, d.device_name, d.protocol, row_number() OVER by_name - 1, row_number() OVER by_name - 1 + ?
       FROM ${from} WINDOW by_name AS (ORDER BY d.device_name)`,
    )
    .run(task.id, firmware.productKey, firmware.module, task.createdAtMs, nextChanges(countMax ?? counted()), ...which);
  return changes;
}

/** Before anything of it is written. */
function requireNotTooMany(count: number, most = BATCH_DEVICES_MAX): void {
  if (count <= most) return;
  throw new FerryError(
    'batch-too-large',
    `The batch would have ${count} devices; one batch takes at most ${most}. Name fewer source versions, or list the devices of each of several batches in deviceNames.`,
    { devices: count, devicesMax: most },
  );
}

/**
 * The devices that the operator has listed, if all of them may take part; otherwise nothing.
 *
 * @throws FerryError `devices-invalid`, `downgrade-not-allowed`
 */
export function insertListed(connection: Connection, targeting: Targeting<NewTask>, context: WriteContext): void {
  const { task, firmware } = targeting;
  const names = task.deviceNames ?? [];
  const isBatch = task.kind === 'batch';
  // A few are checked first. For many the insert itself looks, and only one that finds too few asks why.
  if (!isBatch) requireListed(connection, targeting);
  const from = `devices d
    ${isBatch ? `JOIN device_versions v ON v.product_key = d.product_key AND v.device_name = d.device_name AND v.module = ? AND v.version IN (SELECT value FROM json_each(?))` : ''}
    WHERE d.product_key = ? AND d.device_name IN (SELECT value FROM json_each(?)) AND d.revoked_at_ms IS NULL`;
  const versions = isBatch ? [firmware.module, JSON.stringify(task.sourceVersions)] : [];
  const which = [...versions, firmware.productKey, JSON.stringify(names)];
  const inserted = insertSelected(
    connection,
    { task, firmware, attempt: '1', from, which, countMax: names.length },
    context,
  );
  if (inserted < names.length) requireListed(connection, targeting);
}

/** The named ones of an ended task's failed devices, each for one attempt more, once they are checked. */
export function insertNamedFailed(
  connection: Connection,
  { task, firmware, of, deviceNames }: Targeting & { readonly of: string; readonly deviceNames: readonly string[] },
  context: WriteContext,
): void {
  // `+`: each name is looked up, not among all that have failed, which may be a quarter of a million.
  const from = `device_updates d WHERE d.task_id = ? AND d.device_name IN (SELECT value FROM json_each(?)) AND +d.outcome = 'failed'`;
  const which = [of, JSON.stringify(deviceNames)];
  const countMax = deviceNames.length;
  insertSelected(connection, { task, firmware, attempt: 'd.attempt + 1', from, which, countMax }, context);
}

/**
 * Checks the devices that the operator has listed.
 *
 * @throws FerryError `devices-invalid` naming the first of them, `downgrade-not-allowed`
 */
export function requireListed(connection: Connection, targeting: Targeting<NewTask>): void {
  const check = listCheck(connection, targeting);
  check.look(targeting.task.deviceNames ?? []);
  check.decide();
}

/** As `requireListed`, with a turn for others after each part of a long list. */
export async function requireListedInTurns(connection: Connection, targeting: Targeting<NewTask>): Promise<void> {
  const check = listCheck(connection, targeting);
  const names = targeting.task.deviceNames ?? [];
  for (let from = 0; from < names.length; from += NAMES_A_TURN) {
    check.look(names.slice(from, from + NAMES_A_TURN));
    await setImmediate();
  }
  check.decide();
}

const NAMES_A_TURN = 10_000;

/** Looks at listed devices, part by part, and decides at the end. */
function listCheck({ sqlite }: Connection, { task, firmware }: Targeting<NewTask>) {
  const { productKey, module } = firmware;
  const isBatch = task.kind === 'batch';
  const statement = sqlite.prepare<string[], KnownDevice>(
    `SELECT n.value AS deviceName, d.device_name IS NOT NULL AS isKnown, d.revoked_at_ms AS revokedAtMs, v.version
     FROM json_each(?) n
     LEFT JOIN devices d ON d.product_key = ? AND d.device_name = n.value
     LEFT JOIN device_versions v ON v.product_key = ? AND v.device_name = n.value AND v.module = ?
     ${isBatch ? 'WHERE d.device_name IS NULL OR d.revoked_at_ms IS NOT NULL OR v.version IS NULL OR v.version NOT IN (SELECT value FROM json_each(?))' : ''}`,
  );
  const problems = new Map<string, string>();
  const newer: string[] = [];
  const seen = new Set<string>();

  function note(device: KnownDevice): void {
    const problem = problemOf(device, isBatch);
    if (problem !== undefined) problems.set(device.deviceName, problem);
    else if (!isBatch && device.version !== null && isNewer(device.version, firmware.version)) {
      newer.push(`${device.deviceName} runs ${device.version}, which`);
    }
  }

  return {
    look(names: readonly string[]): void {
      for (const name of names) if (seen.size === seen.add(name).size) problems.set(name, 'is listed twice');
      const versions = isBatch ? [JSON.stringify(task.sourceVersions)] : [];
      for (const device of statement.all(JSON.stringify(names), productKey, productKey, module, ...versions)) {
        if (!problems.has(device.deviceName)) note(device);
      }
    },
    /** A batch updates from versions that are not newer (requireUsable): its devices run one of them. */
    decide(): void {
      if (problems.size > 0) {
        throw invalidDevices(Array.from(problems, ([deviceName, problem]) => ({ deviceName, problem })));
      }
      if (newer.length > 0 && !task.policy.allowDowngrade) throw downgrade(firmware, newer.slice(0, 3).join('; '));
    },
  };
}

function listedTwice(names: readonly string[]): DeviceProblem[] {
  const seen = new Set<string>();
  const repeated = new Set(names.filter((name) => seen.size === seen.add(name).size));
  return Array.from(repeated, (deviceName) => ({ deviceName, problem: 'is listed twice' }));
}

export const downgrade = (row: Pick<FirmwareRow, 'version'>, newer: string): FerryError =>
  new FerryError(
    'downgrade-not-allowed',
    `${newer} is newer than the firmware's version ${row.version}; set policy.allowDowngrade to update all the same.`,
    { errors: [{ field: 'policy.allowDowngrade', message: 'must be true for a downgrade' }] },
  );

interface KnownDevice {
  readonly deviceName: string;
  readonly isKnown: 0 | 1;
  readonly version: string | null;
  readonly revokedAtMs: number | null;
}

const REVOKED = 'is revoked; restore it first';

/** @param isBatch it was found since it runs none of the source versions, if nothing else is wrong */
function problemOf({ isKnown, revokedAtMs, version }: KnownDevice, isBatch: boolean): string | undefined {
  if (isKnown === 0) return 'does not exist';
  if (revokedAtMs !== null) return REVOKED;
  if (!isBatch) return undefined;
  return version === null ? 'has not reported its version' : `runs ${version}, which is none of the source versions`;
}

/** The first ones by name: an answer of 100,000 would help nobody. */
const invalidDevices = (problems: readonly DeviceProblem[]): FerryError => {
  const named = problems.toSorted((a, b) => (a.deviceName < b.deviceName ? -1 : 1)).slice(0, PROBLEMS_NAMED_MAX);
  const shown = named.slice(0, PROBLEMS_SHOWN_MAX).map(({ deviceName, problem }) => `${deviceName} ${problem}`);
  return new FerryError('devices-invalid', `deviceNames: ${problems.length} can't be updated: ${shown.join('; ')}.`, {
    devices: named,
  });
};

interface WrongDevice {
  readonly deviceName: string;
  readonly hasFailed: 0 | 1;
  readonly isRegistered: 0 | 1;
}

/**
 * Checks the named ones of an ended task's failed devices.
 *
 * @throws FerryError `devices-invalid` naming the first that have not failed, are listed twice, deleted or revoked
 */
export function requireFailedOf({ sqlite }: Connection, taskId: string, deviceNames: readonly string[]): void {
  const repeated = listedTwice(deviceNames);
  const wrong = sqlite
    .prepare<[string, string], WrongDevice>(
      `SELECT n.value AS deviceName, u.device_name IS NOT NULL AS hasFailed, d.device_name IS NOT NULL AS isRegistered
       FROM json_each(?) n
       LEFT JOIN device_updates u ON u.task_id = ? AND u.device_name = n.value AND +u.outcome = 'failed'
       LEFT JOIN devices d ON d.product_key = u.product_key AND d.device_name = u.device_name
       WHERE u.device_name IS NULL OR d.device_name IS NULL OR d.revoked_at_ms IS NOT NULL`,
    )
    .all(JSON.stringify(deviceNames), taskId);
  const problems = wrong.map(({ deviceName, hasFailed, isRegistered }): DeviceProblem => {
    if (hasFailed === 0) return { deviceName, problem: `has not failed in task ${taskId}` };
    return { deviceName, problem: isRegistered === 0 ? 'was deleted' : REVOKED };
  });
  if (problems.length + repeated.length > 0) throw invalidDevices([...problems, ...repeated]);
}

/** @throws FerryError `nothing-to-reinitiate` */
export function requireFailed({ sqlite }: Connection, taskId: string): void {
  const failed = `SELECT 1 FROM device_updates d WHERE d.task_id = ? AND d.outcome = 'failed' AND ${MAY_SIGN_IN} LIMIT 1`;
  if (sqlite.prepare(failed).get(taskId) !== undefined) return;
  throw new FerryError('nothing-to-reinitiate', `Task ${taskId} has no failed devices that may sign in.`);
}
