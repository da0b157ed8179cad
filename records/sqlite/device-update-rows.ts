import { and, eq, getTableColumns, sql, type SQL } from 'drizzle-orm';
import type { DeviceUpdateState } from '../../domain/device-update.js';
import type { DeviceKey } from '../../domain/ids.js';
import { wholePolicy } from '../../domain/policy.js';
import { countOf } from '../../domain/update-task.js';
import type { GateFacts } from '../../domain/task-gate.js';
import type { OpenDeviceUpdate } from '../records.js';
import type { Connection } from './connection.js';
import { prepared } from './prepared.js';
import { deviceUpdateOf, type DeviceUpdateRow, type FirmwareRow, type TaskRow } from './rows.js';
import { devices, deviceUpdates, deviceVersions, firmware, tasks } from './schema.js';
import type { WriteContext } from './write-queue.js';

/* Single rows of device updates: they are on the way of every report (docs/performance.md, 3). */

/** As in the partial index: written out, or SQLite doesn't see that the index serves. */
const OPEN_AND_BEGUN = `status IN ('pending', 'notified', 'upgrading') AND begun_at_ms IS NOT NULL`;

export const IS_OPEN_AND_BEGUN = sql.raw(`device_updates.${OPEN_AND_BEGUN}`);

/** Its task is not being forgotten. At most one is at a time: the list is read once a statement, from its index. */
export const IS_SEEN = sql`${deviceUpdates.taskId} NOT IN (SELECT id FROM tasks WHERE forgotten_at_ms IS NOT NULL)`;

/** Columns of a device update's state: exactly the domain's facts. */
const STATE_KEYS = [
  ...['status', 'outcome', 'step', 'cause', 'detail', 'begunAtMs', 'notifiedAtMs', 'notifications', 'silences'],
  ...['startedAtMs', 'lastProgressAtMs', 'hundredAtMs', 'lastDownloadAtMs', 'awaySinceMs', 'backAtMs'],
  ...['targetReportedAtMs', 'endedAtMs'],
] as const satisfies readonly (keyof DeviceUpdateState)[];

/** Look-ups of single device updates. */
export function deviceUpdateFinder({ db }: Pick<Connection, 'db'>) {
  const given = sql.placeholder;
  const atPlace = and(eq(deviceUpdates.taskId, given('taskId')), eq(deviceUpdates.deviceName, given('deviceName')));
  const openOfDevice = and(
    eq(deviceUpdates.productKey, given('productKey')),
    eq(deviceUpdates.deviceName, given('deviceName')),
    IS_OPEN_AND_BEGUN,
  );
  const row = (where: SQL | undefined) =>
    prepared<DeviceUpdateRow>(UPDATE, db.select(UPDATE).from(deviceUpdates).where(where));
  const whole = (where: SQL | undefined) =>
    prepared<Whole>(
      WHOLE,
      db
        .select(WHOLE)
        .from(deviceUpdates)
        .innerJoin(tasks, eq(tasks.id, deviceUpdates.taskId))
        .innerJoin(firmware, eq(firmware.id, tasks.firmwareId))
        .leftJoin(
          devices,
          and(eq(devices.productKey, deviceUpdates.productKey), eq(devices.deviceName, deviceUpdates.deviceName)),
        )
        .leftJoin(
          deviceVersions,
          and(
            eq(deviceVersions.productKey, deviceUpdates.productKey),
            eq(deviceVersions.deviceName, deviceUpdates.deviceName),
            eq(deviceVersions.module, firmware.module),
          ),
        )
        .where(where),
    );
  const byPlace = row(atPlace);
  const openOf = row(openOfDevice);
  const rowById = row(eq(deviceUpdates.id, given('id')));
  const wholeById = whole(eq(deviceUpdates.id, given('id')));
  const wholeByPlace = whole(atPlace);
  const wholeOpen = whole(openOfDevice);
  const isOf = (module: string | null) => (update: { readonly module: string }) =>
    module === null || update.module === module;

  return {
    row: (taskId: string, deviceName: string): DeviceUpdateRow | undefined => byPlace.first({ taskId, deviceName }),
    rowById: (id: number): DeviceUpdateRow | undefined => rowById.first({ id }),
    openRow: ({ productKey, deviceName }: DeviceKey, module: string | null): DeviceUpdateRow | undefined =>
      openOf.all({ productKey, deviceName }).find(isOf(module)),
    byId: (id: number): OpenDeviceUpdate | undefined => opened(wholeById.first({ id })),
    byPlace: (taskId: string, deviceName: string): OpenDeviceUpdate | undefined =>
      opened(wholeByPlace.first({ taskId, deviceName })),
    /** Open and begun. */
    open: ({ productKey, deviceName }: DeviceKey, module: string | null): OpenDeviceUpdate | undefined =>
      opened(wholeOpen.all({ productKey, deviceName }).find(({ update }) => isOf(module)(update))),
  };
}

const UPDATE = getTableColumns(deviceUpdates);
const WHOLE = {
  update: UPDATE,
  task: {
    ...{ policy: tasks.policy, kind: tasks.kind, sourceVersions: tasks.sourceVersions },
    ...{
      status: tasks.status,
      pausedCause: tasks.pausedCause,
      needsApproval: tasks.needsApproval,
      approval: tasks.approval,
    },
    ...{ cancelRequestedAtMs: tasks.cancelRequestedAtMs, endRequestedAtMs: tasks.endRequestedAtMs },
  },
  firmware: getTableColumns(firmware),
  device: { revokedAtMs: devices.revokedAtMs, online: devices.online, lastSeenAtMs: devices.lastSeenAtMs },
  installed: { version: deviceVersions.version },
};

interface Whole {
  readonly update: DeviceUpdateRow;
  readonly task: Pick<TaskRow, 'policy' | 'kind' | 'sourceVersions' | keyof GateFacts>;
  readonly firmware: FirmwareRow;
  readonly device: Pick<typeof devices.$inferSelect, 'revokedAtMs' | 'online' | 'lastSeenAtMs'> | null;
  readonly installed: { readonly version: string } | null;
}

function opened(found: Whole | undefined): OpenDeviceUpdate | undefined {
  if (!found) return undefined;
  const { update, task, firmware: target, device, installed } = found;
  return {
    task,
    record: deviceUpdateOf(update),
    firmware: target,
    policy: wholePolicy(task.policy),
    kind: task.kind,
    sourceVersions: task.sourceVersions,
    installedVersion: installed?.version ?? null,
    isDeviceRevoked: (device?.revokedAtMs ?? null) !== null,
    offlineSinceMs: device?.online === false ? device.lastSeenAtMs : null,
    failureSignalled: update.failureSignalled,
    targetSignalled: update.targetSignalled,
    targetHeardAtMs: update.targetHeardAtMs,
    newsAtMs: update.newsAtMs,
    reportedFailure: update.reportedFailure,
    onlineSignals: update.onlineSignals,
    onlineSignalledAtMs: update.onlineSignalledAtMs,
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
  const update = sqlite.prepare(
    `UPDATE device_updates
        SET step = max(coalesce(step, 0), ?), last_progress_at_ms = max(coalesce(last_progress_at_ms, 0), ?), change = ?
        WHERE id = (SELECT id FROM device_updates
            WHERE product_key = ? AND device_name = ? AND ${OPEN_AND_BEGUN} AND (? IS NULL OR module = ?) LIMIT 1)
          AND status = 'upgrading' AND notified_at_ms IS NOT NULL AND started_at_ms IS NOT NULL`,
  );
  return (
    { productKey, deviceName }: DeviceKey,
    { module, step, atMs }: { readonly module: string | null; readonly step: number; readonly atMs: number },
    { nextChange, touchedSome }: WriteContext,
  ): boolean => {
    if (step >= 100) return false;
    const { changes } = update.run(step, atMs, nextChange(), productKey, deviceName, module, module);
    if (changes === 0) return false;
    touchedSome(); // to answer which one would cost as much again
    return true;
  };
}
