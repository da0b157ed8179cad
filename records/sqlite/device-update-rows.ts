import { getTableColumns } from 'drizzle-orm';
import type { DeviceUpdateState } from '../../domain/device-update.js';
import type { DeviceKey } from '../../domain/ids.js';
import { wholePolicy } from '../../domain/policy.js';
import { countOf } from '../../domain/update-task.js';
import type { OpenDeviceUpdate } from '../records.js';
import type { Connection } from './connection.js';
import { rowReader } from './raw-rows.js';
import { deviceUpdateOf, type DeviceUpdateRow } from './rows.js';
import { deviceUpdates, firmware, tasks } from './schema.js';
import type { WriteContext } from './write-queue.js';

/* Single rows of device updates, by SQL as it stands: they are on the way of every report (docs/performance.md, 3). */

/** As in the partial index: written out, or SQLite doesn't see that the index serves. */
export const OPEN_AND_BEGUN = `status IN ('pending', 'notified', 'upgrading') AND begun_at_ms IS NOT NULL`;

/** Columns of a device update's state: exactly the domain's facts. */
const STATE_KEYS = [
  ...['status', 'outcome', 'step', 'cause', 'detail', 'begunAtMs', 'notifiedAtMs', 'notifications', 'silences'],
  ...['startedAtMs', 'lastProgressAtMs', 'hundredAtMs', 'targetReportedAtMs', 'endedAtMs'],
] as const satisfies readonly (keyof DeviceUpdateState)[];

/** Look-ups of single device updates. */
export function deviceUpdateFinder({ sqlite }: Pick<Connection, 'sqlite'>) {
  const updates = rowReader(deviceUpdates);
  const ofTask = rowReader(tasks);
  const ofFirmware = rowReader(firmware);
  const raw = (where: string) =>
    sqlite.prepare<unknown[], unknown[]>(`SELECT ${updates.columns} FROM device_updates WHERE ${where}`).raw();
  const rawWhole = (where: string) =>
    sqlite
      .prepare<unknown[], unknown[]>(
        `SELECT ${updates.columns}, ${ofTask.columns}, ${ofFirmware.columns} FROM device_updates
          JOIN tasks ON tasks.id = device_updates.task_id JOIN firmware ON firmware.id = tasks.firmware_id
          WHERE ${where}`,
      )
      .raw();
  const OPEN_OF_DEVICE = `device_updates.product_key = ? AND device_updates.device_name = ? AND device_updates.${OPEN_AND_BEGUN}`;
  const AT_PLACE = 'device_updates.task_id = ? AND device_updates.device_name = ?';
  const byPlace = raw(AT_PLACE);
  const openOf = raw(OPEN_OF_DEVICE);
  const whole = rawWhole('device_updates.id = ?');
  const wholeByPlace = rawWhole(AT_PLACE);
  const wholeOpen = rawWhole(OPEN_OF_DEVICE);

  const readWhole = (values: readonly unknown[]): OpenDeviceUpdate => {
    const update = updates.read(values);
    const { policy, kind, sourceVersions } = ofTask.read(values, updates.width);
    return {
      record: deviceUpdateOf(update),
      firmware: ofFirmware.read(values, updates.width + ofTask.width),
      policy: wholePolicy(policy),
      kind,
      sourceVersions,
      progressSignalled: update.progressSignalled,
      hundredSignalled: update.hundredSignalled,
      failureSignalled: update.failureSignalled,
      reportedFailure: update.reportedFailure,
      onlineSignals: update.onlineSignals,
      onlineSignalledAtMs: update.onlineSignalledAtMs,
    };
  };
  const isOf = (module: string | null) => (update: { readonly module: string }) =>
    module === null || update.module === module;

  return {
    row: (taskId: string, deviceName: string): DeviceUpdateRow | undefined => {
      const values = byPlace.get(taskId, deviceName);
      return values && updates.read(values);
    },
    openRow: ({ productKey, deviceName }: DeviceKey, module: string | null): DeviceUpdateRow | undefined =>
      openOf
        .all(productKey, deviceName)
        .map((values) => updates.read(values))
        .find(isOf(module)),
    byId: (id: number): OpenDeviceUpdate | undefined => {
      const values = whole.get(id);
      return values && readWhole(values);
    },
    byPlace: (taskId: string, deviceName: string): OpenDeviceUpdate | undefined => {
      const values = wholeByPlace.get(taskId, deviceName);
      return values && readWhole(values);
    },
    /** Open and begun. */
    open: ({ productKey, deviceName }: DeviceKey, module: string | null): OpenDeviceUpdate | undefined =>
      wholeOpen
        .all(productKey, deviceName)
        .map(readWhole)
        .find(({ firmware: target }) => isOf(module)(target)),
  };
}

/**
 * Writes a device update's new state and moves its task's counts with it; only the columns that change, since every
 * index with a named column is written. Runs within a write, and answers the row as it is then.
 */
export function deviceUpdateStore({ sqlite }: Connection) {
  const columns = getTableColumns(deviceUpdates);
  const moves = new Map<string, ReturnType<typeof prepareMove>>();
  const updates = new Map<string, ReturnType<typeof prepareUpdate>>();
  const prepareMove = (from: string, to: string) =>
    sqlite.prepare<[number, string]>(
      `UPDATE tasks SET ${from} = ${from} - 1, ${to} = ${to} + 1, change = ? WHERE id = ?`,
    );
  const prepareUpdate = (keys: readonly (keyof typeof columns)[]) =>
    sqlite.prepare(
      `UPDATE device_updates SET ${keys.map((key) => `"${columns[key].name}" = ?`).join(', ')}, change = ? WHERE id = ?`,
    );

  return (
    row: DeviceUpdateRow,
    state: DeviceUpdateState,
    { nextChange, touched }: WriteContext,
    runId: string | null = row.runId,
  ): DeviceUpdateRow => {
    const keys: (keyof DeviceUpdateState | 'runId')[] = STATE_KEYS.filter((key) => row[key] !== state[key]);
    const values: unknown[] = keys.map((key) => state[key as keyof DeviceUpdateState]);
    if (runId !== null && runId !== row.runId) {
      keys.push('runId');
      values.push(runId);
    }
    if (keys.length === 0) return row;
    const shape = keys.join();
    const update = updates.get(shape) ?? prepareUpdate(keys);
    updates.set(shape, update);
    const change = nextChange();
    update.run(...values, change, row.id);
    touched(row.taskId);
    const [from, to] = [countOf(row.status, row.outcome), countOf(state.status, state.outcome)];
    if (from !== to) {
      const move = moves.get(`${from}>${to}`) ?? prepareMove(from, to);
      moves.set(`${from}>${to}`, move);
      move.run(nextChange(), row.taskId);
    }
    return { ...row, ...stateOf(state), runId: runId ?? row.runId, change };
  };
}

/** Only these facts of a device update are the run's: what else a row holds is gateway's and outbox's. */
export const stateOf = (row: DeviceUpdateState): DeviceUpdateState =>
  Object.fromEntries(STATE_KEYS.map((key) => [key, row[key]])) as unknown as DeviceUpdateState;

/**
 * A percentage of a device in mid-update, which is nearly every one: one statement that does what domain `progressed`
 * does then, for 0 to 99 [tests/records: the contract compares both].
 *
 * @returns false when it is anything else: the first one, the hundredth, a stale one
 */
export function midUpdateProgress({ sqlite }: Connection) {
  const update = sqlite
    .prepare<unknown[], string>(
      `UPDATE device_updates
        SET step = max(coalesce(step, 0), ?), last_progress_at_ms = max(coalesce(last_progress_at_ms, 0), ?), change = ?
        WHERE id = (SELECT id FROM device_updates
            WHERE product_key = ? AND device_name = ? AND ${OPEN_AND_BEGUN} AND (? IS NULL OR module = ?) LIMIT 1)
          AND status = 'upgrading' AND notified_at_ms IS NOT NULL AND started_at_ms IS NOT NULL
        RETURNING task_id`,
    )
    .pluck();
  return (
    { productKey, deviceName }: DeviceKey,
    { module, step, atMs }: { readonly module: string | null; readonly step: number; readonly atMs: number },
    { nextChange, touched }: WriteContext,
  ): boolean => {
    if (step >= 100) return false;
    const taskId = update.get(step, atMs, nextChange(), productKey, deviceName, module, module);
    if (taskId === undefined) return false;
    touched(taskId);
    return true;
  };
}
