import { setImmediate } from 'node:timers/promises';
import { FerryError } from '../../domain/errors.js';
import { BATCH_DEVICES_MAX } from '../../domain/policy.js';
import { isNewer } from '../../domain/versions.js';
import type { NewTask } from '../records.js';
import type { Connection } from './connection.js';
import type { LongWriteContext } from './long-writes.js';
import type { FirmwareRow } from './rows.js';
import type { TaskDraft } from './tasks.js';

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
export async function insertRunning({ task, firmware }: Targeting, context: LongWriteContext): Promise<void> {
  const chosen = `device_versions v JOIN devices d ON d.product_key = v.product_key AND d.device_name = v.device_name
    WHERE v.product_key = ? AND v.module = ? AND v.version IN (${task.sourceVersions.map(() => '?').join(', ')})
      AND d.revoked_at_ms IS NULL`;
  const bound = [firmware.productKey, firmware.module, ...task.sourceVersions];
  const names = await chosenNames(context, { chosen, bound }, task.devicesMax);
  const join = 'JOIN devices d ON d.product_key = ? AND d.device_name = n.value';
  await insertNamed({ task, firmware, names, attempt: '1', join, bound: [firmware.productKey] }, context);
}

/** All failed devices of an ended task that may sign in, each for one attempt more. */
export async function insertFailed(
  { task, firmware, of }: Targeting & { readonly of: string },
  context: LongWriteContext,
): Promise<void> {
  const chosen = `device_updates d WHERE d.task_id = ? AND d.outcome = 'failed' AND ${MAY_SIGN_IN}`;
  const names = await chosenNames(context, { chosen, bound: [of] }, task.devicesMax);
  await insertNamed({ task, firmware, names, ...againAfter(of) }, context);
}

const againAfter = (of: string) => ({
  attempt: 'd.attempt + 1',
  join: 'JOIN device_updates d ON d.task_id = ? AND d.device_name = n.value',
  bound: [of],
});

/** Rows read or written between two rests: some tens of milliseconds. */
const ROWS_A_PART = 2_000;

/**
 * The devices that a query chooses, by name, once it is sure that they are not too many.
 *
 * @param chosen what stands behind FROM; the devices are those of `d`
 */
async function chosenNames(
  { connection, rest }: LongWriteContext,
  { chosen, bound }: { readonly chosen: string; readonly bound: readonly string[] },
  devicesMax: number = BATCH_DEVICES_MAX,
): Promise<string[]> {
  const part = connection.sqlite.prepare<(string | number)[], string>(`SELECT d.device_name FROM ${chosen}`).pluck();
  const names: string[] = [];
  let count = 0;
  for (const name of part.iterate(...bound)) {
    if (++count <= devicesMax) names.push(name);
    if (count % ROWS_A_PART === 0) await rest();
  }
  requireNotTooMany(count, devicesMax);
  return names.sort();
}

interface Selection extends Targeting {
  /** The devices in the order of their places in the task. No name stands in it twice. */
  readonly names: readonly string[];
  /** SQL; the device's columns are those of `d`, which is joined to its name `n.value`. */
  readonly attempt: string;
  readonly join: string;
  /** What is bound in `join`. */
  readonly bound: readonly string[];
}

/** A statement for each part: one by one, 100,000 would take seconds more; all at once, nothing else could go on. */
async function insertNamed(
  { task, firmware, names, attempt, join, bound }: Selection,
  { connection, nextChanges, rest }: LongWriteContext,
): Promise<number> {
  // CROSS JOIN makes SQLite look up each name, instead of reading through all devices of the product.
  const insert = connection.sqlite.prepare(
    `INSERT INTO device_updates (task_id, product_key, module, created_at_ms, attempt, device_name, protocol, ordinal, change)
     SELECT ?, ?, ?, ?, ${attempt}, d.device_name, d.protocol, row_number() OVER by_name - 1 + ?, row_number() OVER by_name - 1 + ?
     FROM json_each(?) n CROSS ${join} WINDOW by_name AS (ORDER BY d.device_name)`,
  );
  const firstChange = nextChanges(names.length);
  let inserted = 0;
  for (let from = 0; from < names.length; from += ROWS_A_PART) {
    const part = JSON.stringify(names.slice(from, from + ROWS_A_PART));
    const { id, createdAtMs } = task;
    const places = [inserted, firstChange + inserted];
    inserted += insert.run(id, firmware.productKey, firmware.module, createdAtMs, ...places, part, ...bound).changes;
    await rest();
  }
  return inserted;
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
export async function insertListed(targeting: Targeting<NewTask>, context: LongWriteContext): Promise<void> {
  const { task, firmware } = targeting;
  const names = [...new Set(task.deviceNames)].sort();
  const isBatch = task.kind === 'batch';
  // A few are checked first. For many the insert itself looks, and only one that finds too few asks why.
  if (!isBatch) requireListed(context.connection, targeting);
  const runsOne = `CROSS JOIN device_versions v ON v.product_key = d.product_key AND v.device_name = d.device_name
    AND v.module = ? AND v.version IN (SELECT value FROM json_each(?))`;
  const join = `JOIN devices d ON d.product_key = ? AND d.device_name = n.value AND d.revoked_at_ms IS NULL
    ${isBatch ? runsOne : ''}`;
  const versions = isBatch ? [firmware.module, JSON.stringify(task.sourceVersions)] : [];
  const bound = [firmware.productKey, ...versions];
  const inserted = await insertNamed({ task, firmware, names, attempt: '1', join, bound }, context);
  if (inserted < (task.deviceNames?.length ?? 0)) await requireListedInTurns(context.connection, targeting);
}

/** The named ones of an ended task's failed devices, each for one attempt more, once they are checked. */
export async function insertNamedFailed(
  { task, firmware, of, deviceNames }: Targeting & { readonly of: string; readonly deviceNames: readonly string[] },
  context: LongWriteContext,
): Promise<void> {
  await insertNamed({ task, firmware, names: deviceNames.toSorted(), ...againAfter(of) }, context);
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
export async function requireFailedOf(
  { connection, rest }: LongWriteContext,
  taskId: string,
  deviceNames: readonly string[],
): Promise<void> {
  // `+`: each name is looked up, not among all that have failed, which may be a quarter of a million.
  const wrong = connection.sqlite.prepare<[string, string], WrongDevice>(
    `SELECT n.value AS deviceName, u.device_name IS NOT NULL AS hasFailed, d.device_name IS NOT NULL AS isRegistered
     FROM json_each(?) n
     LEFT JOIN device_updates u ON u.task_id = ? AND u.device_name = n.value AND +u.outcome = 'failed'
     LEFT JOIN devices d ON d.product_key = u.product_key AND d.device_name = u.device_name
     WHERE u.device_name IS NULL OR d.device_name IS NULL OR d.revoked_at_ms IS NOT NULL`,
  );
  const problems = listedTwice(deviceNames);
  for (let from = 0; from < deviceNames.length; from += ROWS_A_PART) {
    const part = JSON.stringify(deviceNames.slice(from, from + ROWS_A_PART));
    for (const { deviceName, hasFailed, isRegistered } of wrong.all(part, taskId)) {
      if (hasFailed === 0) problems.push({ deviceName, problem: `has not failed in task ${taskId}` });
      else problems.push({ deviceName, problem: isRegistered === 0 ? 'was deleted' : REVOKED });
    }
    await rest();
  }
  if (problems.length > 0) throw invalidDevices(problems);
}

/** @throws FerryError `nothing-to-reinitiate` */
export function requireFailed({ sqlite }: Connection, taskId: string): void {
  const failed = `SELECT 1 FROM device_updates d WHERE d.task_id = ? AND d.outcome = 'failed' AND ${MAY_SIGN_IN} LIMIT 1`;
  if (sqlite.prepare(failed).get(taskId) !== undefined) return;
  throw new FerryError('nothing-to-reinitiate', `Task ${taskId} has no failed devices that may sign in.`);
}
